"""The site changes, the run adapts, the job learns, the next run passes by what was learned; people judge."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from processors.learning import LearningProcessor
from qa_queue.errors import NotFoundError
from qa_queue.models import LearningJobResult, StepStatus, TestJobResult
from qa_queue.services import adaptations
from qa_queue.store.memory import MemoryStore
from qa_queue.store.records import AdaptationRow
from tests.browser.test_healing import NEW, OLD, order
from tests.support.running import ExecutionHarness
from tests.support.services import job_context, services
from tests.support.site import Site

FOUND = {"role": "button", "name": "Buy now", "exact": True}


async def learn(store: MemoryStore) -> LearningJobResult:
    processor = LearningProcessor(services(store, Path("unused")), job_context("adaptation-learning"))
    return LearningJobResult.model_validate(await processor.run({}))


async def run(harness: ExecutionHarness, site: Site, **fields: Any) -> TestJobResult:
    """A run, and when it has ended."""
    return await harness.test(order(base_url=site.url, **fields))


def adapted(harness: ExecutionHarness, result: TestJobResult) -> AdaptationRow:
    (row,) = harness.store.list_adaptations([result.test_run_id])
    return row


async def test_a_site_that_changes(harness: ExecutionHarness, site: Site) -> None:
    """Adapted once, then completed by the learned locator without a heal, until somebody rejects it."""
    site.page("/shop", OLD)
    assert (await run(harness, site)).status == "completed"
    site.page("/shop", NEW)
    healed = await run(harness, site)
    assert healed.status == "adapted"
    first = await learn(harness.store)
    assert first.patterns_changed == 2  # what the case says, missed once, and what the heal found
    again = await learn(harness.store)
    assert (again.patterns, again.patterns_changed, again.patterns_removed) == (2, 0, 0)

    learned = await run(harness, site)
    assert (learned.status, learned.adapted_steps, learned.error) == ("completed", 0, None)
    step = harness.steps(learned.test_run_id)[1]
    assert (step.status, step.locator) == (StepStatus.PASSED, FOUND)
    assert adapted(harness, learned).reason == "learned"

    case_id = harness.row(learned.test_run_id).test_case_id
    await learn(harness.store)
    grown = harness.store.list_patterns(case_id)
    assert [(one.locator, one.tried, one.matched, one.learned) for one in grown if one.learned] == [
        (FOUND, 2, 2, True)
    ]
    harness.store.delete_patterns([one.id for one in grown])
    await learn(harness.store)
    assert harness.store.list_patterns(case_id) == grown

    adaptations.reject(harness.store, adapted(harness, healed).id, by="ann")
    refused = await run(harness, site)
    assert refused.status == "failed"
    assert "somebody rejected that element" in (refused.error or "")
    await learn(harness.store)
    assert [one for one in harness.store.list_patterns(case_id) if one.learned] == []
    assert harness.store.delete_runs([healed.test_run_id]) == 1
    assert (await run(harness, site)).status == "failed"


async def test_a_heal_that_no_one_judged_lends_no_confidence(harness: ExecutionHarness, site: Site) -> None:
    """An element that becomes another in two steps needs a person in between, even if a locator was learned."""
    middle = OLD.replace("id=buy", "id=pay data-testid=pay").replace("btn primary", "cta")
    last = middle.replace("Buy now", "Order with payment")
    site.page("/shop", OLD)
    assert (await run(harness, site)).status == "completed"
    site.page("/shop", middle)
    healed = await run(harness, site)
    assert healed.status == "adapted"
    await learn(harness.store)
    assert (await run(harness, site)).status == "completed"
    site.page("/shop", last)
    assert (await run(harness, site)).status == "failed"
    adaptations.accept(harness.store, adapted(harness, healed).id, by="ann", write=False)
    assert (await run(harness, site)).status == "completed"


async def test_a_learned_locator_on_another_element_is_not_trusted(harness: ExecutionHarness, site: Site) -> None:
    """Its fingerprint is compared again: what bears the name now is something else, so the step fails."""
    site.page("/shop", OLD)
    await run(harness, site)
    site.page("/shop", NEW)
    await run(harness, site)
    await learn(harness.store)
    other = "<footer style='margin-top:900px'><a role=button href=/delete>Buy now</a></footer>"
    site.page("/shop", f"<title>Shop</title><h1>Account</h1>{other}<p id=done></p>")
    result = await run(harness, site)
    assert result.status == "failed"


async def test_an_accepted_heal_is_the_cases_own(harness: ExecutionHarness, site: Site) -> None:
    """The stored case has a new version that names the element so; the next run needs nothing."""
    site.page("/shop", OLD)
    await run(harness, site)
    site.page("/shop", NEW)
    row = adapted(harness, await run(harness, site))
    judged = adaptations.accept(harness.store, row.id, by="ann")
    assert judged.case is not None
    assert (judged.case.version, judged.step_number) == (2, 2)
    data = harness.submit(order(base_url=site.url)).model_copy(update={"case": None})
    harness.store.save_cases([judged.case])
    result = await harness.run(data)
    assert (result.status, result.adaptations) == ("completed", ())
    assert adaptations.accept(harness.store, row.id, by="ann").case is None, "the case names it so already"
    back = adaptations.reject(harness.store, row.id, by="bob")
    assert back.case is not None
    assert back.case.definition["steps"][1]["click"] == {"css": "#buy"}


async def test_a_proposal_that_is_accepted_is_used(harness: ExecutionHarness, site: Site) -> None:
    """Without writing the case: workers use the locator from then on."""
    site.page("/shop", OLD)
    await run(harness, site)
    site.page("/shop", NEW)
    row = adapted(harness, await run(harness, site, heal="suggest"))
    adaptations.accept(harness.store, row.id, by="ann", write=False)
    assert (await run(harness, site, heal="suggest")).status == "completed"
    with pytest.raises(NotFoundError, match="no adaptation"):
        adaptations.reject(harness.store, "nothing", by=None)
