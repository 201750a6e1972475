"""Runs on a page that changed: healed, proposed, refused."""

from __future__ import annotations

from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Locator

from processors.browser import step_runner
from processors.browser.fingerprinting import PageView, fingerprint_of
from processors.healing.fingerprint import Fingerprint
from qa_queue.cases.actions import ForEach, Group
from qa_queue.cases.model import Case, Step
from qa_queue.cases.reader import parse_case
from qa_queue.models import ArtifactKind, RunStatus, StepStatus
from qa_queue.services import adaptations
from qa_queue.store.records import AdaptationRow, VerdictRecord, verdict_id
from tests.support.records import NOON
from tests.support.running import ExecutionHarness
from tests.support.site import Site
from tests.support.steps import case, expect, goto, on

OLD = """<title>Shop</title><h1>Coffee</h1><form>
<label for=mail>E-mail</label><input id=mail name=email>
<button type=button id=buy class="btn primary" onclick="done.textContent='thanks'">Buy now</button>
<button type=button id=save class=btn>Save for later</button></form><a href=/terms>Terms</a><p id=done></p>"""
NEW = OLD.replace("id=buy", "id=x-17").replace("<form>", "<div><form>").replace("</form>", "</form></div>")
GONE = NEW.replace("Buy now", "Delete account").replace("primary", "danger")
SHORT = {"timeout_ms": 1500}


def order(*, timeout_ms: int = 1500, **fields: Any) -> Case:
    click = on("click", "#buy").model_copy(update={"timeout_ms": timeout_ms})
    steps = (goto("/shop"), click, expect("#done", text="thanks"))
    return case(*steps, **fields)


@pytest_asyncio.fixture(loop_scope="session")
async def shop(harness: ExecutionHarness, site: Site) -> Site:
    """A site whose pages were seen once by a run that passed."""
    site.page("/shop", OLD)
    result = await harness.test(order(base_url=site.url, timeout_ms=30_000))
    assert (result.status, result.error) == ("completed", None)
    site.page("/shop", NEW)
    return site


def adaptation(harness: ExecutionHarness, run_id: str) -> AdaptationRow:
    (row,) = harness.store.list_adaptations([run_id])
    return row


async def test_a_passing_step_leaves_a_fingerprint(harness: ExecutionHarness, shop: Site) -> None:
    """One row a step with an element, also without a heal."""
    rows = harness.store.knowledge(harness.store.list_cases()[0].id).fingerprints
    assert [(row.step_key, row.document["tag"], row.page) for row in rows] == [("2:click", "button", "/shop")]
    assert rows[0].document["accessible_name"] == "Buy now"


async def test_a_click_that_leaves_the_page_first_is_not_held_up(
    harness: ExecutionHarness, shop: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its element is not on the next page, where Playwright would look for it in all of the step's time."""
    shop.page("/terms", "<h1>Terms</h1>")

    async def late(locator: Locator, view: PageView, **how: Any) -> Fingerprint:
        await locator.page.wait_for_url("**/terms")
        return await fingerprint_of(locator, view, **how)

    monkeypatch.setattr(step_runner, "fingerprint_of", late)
    click = on("click", "a").model_copy(update={"timeout_ms": 600_000})
    result = await harness.test(case(goto("/shop"), click, base_url=shop.url))
    assert (result.status, result.error) == ("completed", None)


async def test_a_changed_button_is_healed(harness: ExecutionHarness, shop: Site) -> None:
    """Step and run are adapted; the row says by what, how sure and why; pictures show it; progress told it."""
    result = await harness.test(order(base_url=shop.url))
    run, steps = harness.row(result.test_run_id), harness.steps(result.test_run_id)
    assert (result.status, run.status, result.error) == ("adapted", RunStatus.ADAPTED, None)
    assert [step.status for step in steps] == [StepStatus.PASSED, StepStatus.ADAPTED, StepStatus.PASSED]
    row = adaptation(harness, result.test_run_id)
    assert (row.reason, row.status, row.old_target) == ("healed", "applied", {"css": "#buy"})
    assert row.new_target == {"role": "button", "name": "Buy now", "exact": True} == steps[1].locator
    assert row.score is not None
    assert row.score > 0.6
    assert row.evidence is not None
    assert "Buy now" in row.evidence["summary"]
    names = [picture.name for picture in harness.artifacts(result.test_run_id, ArtifactKind.SCREENSHOT)]
    assert names == ["step-002-heal-after.png", "step-002-heal-before.png"]
    assert any("healed, by button 'Buy now'" in report.message for report in harness.progress.reports)
    assert result.adaptations[0].reason == "healed"


async def test_what_is_gone_is_refused(harness: ExecutionHarness, shop: Site) -> None:
    """Another button in its place is not taken; the error says that healing was thought of."""
    shop.page("/shop", GONE)
    result = await harness.test(order(base_url=shop.url))
    assert result.status == "failed"
    assert "`#buy` was not found in 1500 ms; not healed: " in (result.error or "")
    assert harness.store.list_adaptations([result.test_run_id]) == []


async def test_another_name_in_its_place_is_proposed_only(harness: ExecutionHarness, shop: Site) -> None:
    """Also where healing is on: what it says has changed, and nothing else tells that it is the same."""
    shop.page("/shop", NEW.replace("Buy now", "Buy later"))
    result = await harness.test(order(base_url=shop.url, heal="auto"))
    assert result.status == "failed"
    assert "not healed: button 'Buy later' is proposed, to be accepted by somebody (it has another name" in (
        result.error or ""
    )
    row = adaptation(harness, result.test_run_id)
    assert (row.status, row.new_target) == ("proposed", {"role": "button", "name": "Buy later", "exact": True})
    assert row.evidence is not None
    assert row.evidence["summary"].startswith("refused: it has another name")
    adaptations.accept(harness.store, row.id, by="ann", write=False)
    again = await harness.test(order(base_url=shop.url, heal="auto"))
    assert (again.status, again.error) == ("completed", None), "somebody said that it is the same"


async def test_suggest_proposes_and_fails(harness: ExecutionHarness, shop: Site) -> None:
    """The proposal is recorded, the element not touched."""
    result = await harness.test(order(base_url=shop.url, heal="suggest"))
    assert (result.status, result.adapted_steps) == ("failed", 0)
    assert "button 'Buy now' is proposed" in (result.error or "")
    row = adaptation(harness, result.test_run_id)
    assert (row.status, row.reason) == ("proposed", "healed")
    pictures = [picture.name for picture in harness.artifacts(result.test_run_id, ArtifactKind.SCREENSHOT)]
    assert pictures == ["step-002-failed.png", "step-002-heal-before.png"]


@pytest.mark.parametrize("config", [{"adaptive_mode": False}, {"max_adaptations": 0}])
async def test_the_job_can_forbid_it(harness: ExecutionHarness, shop: Site, config: dict[str, Any]) -> None:
    """Neither mode off nor no adaptations allowed heals anything."""
    result = await harness.test(order(base_url=shop.url), **config)
    assert (result.status, result.adapted_steps) == ("failed", 0)


async def test_the_case_and_the_step_can_forbid_it(harness: ExecutionHarness, shop: Site) -> None:
    """`heal: off` of the case holds unless the step says otherwise."""
    off = order(base_url=shop.url, heal="off")
    assert (await harness.test(off)).status == "failed"
    steps = tuple(
        step.model_copy(update={"heal": "auto"}) if step.action == "click" else step for step in off.steps
    )
    assert (await harness.test(off.model_copy(update={"steps": steps}))).status == "adapted"


async def test_an_assertion_is_healed_only_by_its_own_word(harness: ExecutionHarness, site: Site) -> None:
    """The case's `heal` is about actions."""
    site.page("/text", "<h1>Shop</h1><p id=sum class=total>Sum 5</p>")
    check = expect("#sum", text="Sum 5").model_copy(update=SHORT | {"heal": "auto"})
    assert (await harness.test(case(goto("/text"), check, base_url=site.url))).status == "completed"
    site.page("/text", "<h1>Shop</h1><p id=total class=total>Sum 5</p>")
    assert (await harness.test(case(goto("/text"), check, base_url=site.url))).status == "adapted"
    plain = check.model_copy(update={"heal": None})
    assert (await harness.test(case(goto("/text"), plain, base_url=site.url))).status == "failed"


async def test_a_covered_element_is_not_taken(harness: ExecutionHarness, shop: Site) -> None:
    """An element that cannot be clicked is not an answer."""
    shop.page("/shop", NEW + "<div style='position:fixed;inset:0;background:#fff'></div>")
    result = await harness.test(order(base_url=shop.url))
    assert result.status == "failed"
    assert "it cannot be used now" in (result.error or "")


async def test_a_rejected_pair_never_heals_again(harness: ExecutionHarness, shop: Site) -> None:
    """Nor by another locator of the same element."""
    case_id = harness.store.list_cases()[0].id
    locator = {"role": "button", "name": "Buy now", "exact": True}
    key = "2:click"
    harness.store.save(
        [
            VerdictRecord(
                id=verdict_id(case_id, key, locator),
                test_case_id=case_id,
                step_key=key,
                locator=locator,
                verdict="rejected",
                judged_at=NOON,
            )
        ]
    )
    result = await harness.test(order(base_url=shop.url))
    assert result.status == "failed"
    assert "somebody rejected that element" in (result.error or "")


async def test_elements_in_frames_and_shadow_roots_are_found(harness: ExecutionHarness, site: Site) -> None:
    """The button moved into a shadow root, the field into a frame; the new locators lead there."""
    site.page("/moved", f"{OLD}<script>buy.onclick = () => done.textContent = 'thanks ' + mail.value</script>")
    steps = (
        goto("/moved"),
        on("fill", "#mail", value="ann").model_copy(update=SHORT),
        on("click", "#buy").model_copy(update=SHORT),
    )
    assert (await harness.test(case(*steps, base_url=site.url))).status == "completed"
    inner = "<label for=m>E-mail</label><input id=m name=email>"
    site.page(
        "/moved",
        f"""<title>Shop</title><h1>Coffee</h1><iframe name=box srcdoc='{inner}'></iframe><x-buy></x-buy>
        <a href=/terms>Terms</a><script>document.querySelector("x-buy").attachShadow({{mode: "open"}}).innerHTML =
        "<button type=button class='btn primary'>Buy now</button>"</script>""",
    )
    result = await harness.test(case(*steps, base_url=site.url))
    assert (result.status, result.error) == ("adapted", None)
    fill, click = harness.store.list_adaptations([result.test_run_id])
    assert fill.new_target["frame"] == {"css": 'iframe[name="box"]'}
    assert click.new_target == {"role": "button", "name": "Buy now", "exact": True}


async def test_a_secret_is_in_no_fingerprint(
    harness: ExecutionHarness, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was typed is not collected, and what the page repeats is masked."""
    monkeypatch.setenv("QA_SECRET_WORD", "open sesame")
    monkeypatch.setenv("QA_SECRET_WORD_HOSTS", "127.0.0.1")
    site.page(
        "/secret",
        "<label>Word <input id=w></label><button id=b title='open sesame' onclick=''>Go</button><p>open sesame</p>",
    )
    steps = (goto("/secret"), on("fill", "#w", value="${secret.WORD}"), on("click", "#b"))
    result = await harness.test(case(*steps, base_url=site.url))
    assert result.status == "completed"
    rows = harness.store.knowledge(harness.row(result.test_run_id).test_case_id).fingerprints
    assert len(rows) == 2
    assert "sesame" not in repr(rows)
    assert rows[1].document["title"] == "***"


async def test_a_step_in_blocks_is_one_step_in_every_pass(harness: ExecutionHarness, site: Site) -> None:
    """Its history holds for all passes; accepting a heal changes it where it is written."""
    click = on("click", "#buy").model_copy(update=SHORT)
    loop = Step(args=ForEach(rows=(1, 2), name="n", steps=(Step(args=Group(name="Buy", steps=(click,))),)))
    written = case(goto("/loop"), loop, base_url=site.url)
    site.page("/loop", OLD)
    assert (await harness.test(written)).status == "completed"
    site.page("/loop", NEW)
    result = await harness.test(written)
    assert (result.status, result.adapted_steps) == ("adapted", 2)
    rows = sorted(harness.store.list_adaptations([result.test_run_id]), key=lambda row: row.step_number)
    assert [(row.step_number, row.step_key) for row in rows] == [(2, "2.1.1:click"), (3, "2.1.1:click")]
    judged = adaptations.accept(harness.store, rows[0].id, by="ann")
    assert (judged.place, judged.path) == ("2.1.1", ("steps", 1, "for_each", "steps", 0, "group", "steps", 0))
    assert judged.case is not None
    (inner,) = judged.case.definition["steps"][1]["for_each"]["steps"][0]["group"]["steps"]
    assert inner["click"] == rows[0].new_target


async def test_cases_that_use_one_flow_share_what_is_known_of_its_steps(
    harness: ExecutionHarness, site: Site
) -> None:
    """A case that never ran before heals the step by what another one saw, and the other one by its heal."""

    def using(name: str, *before: dict[str, Any], target: str = "#buy", timeout: str = "1500ms") -> Case:
        flow = {"flow": "Buy", "steps": [{"click": {"css": target}, "timeout": timeout}]}
        steps = [{"goto": "/shared-flow"}, *before, {"use": {"flow": "buy.yaml"}}]
        document = {"name": name, "base_url": site.url, "flows": {"buy.yaml": flow}, "steps": steps}
        return parse_case(document, source="case")

    site.page("/shared-flow", OLD)
    assert (await harness.test(using("Order once", timeout="30s"))).status == "completed"
    site.page("/shared-flow", NEW)
    result = await harness.test(using("Order later", {"wait_for": {"load_state": "load"}}))
    (row,) = harness.store.list_adaptations([result.test_run_id])
    assert (result.status, row.step_key) == ("adapted", "buy.yaml:1:click")
    assert (await harness.test(using("Order elsewhere", target="#another"))).status == "failed"


async def test_a_step_of_a_flow_is_one_step_wherever_it_is_used(harness: ExecutionHarness, site: Site) -> None:
    """A flow that is used twice has one history; accepting a heal changes the flow in the case."""

    def written(timeout: str) -> Case:
        flow = {"flow": "Buy", "steps": [{"click": {"css": "#buy"}, "timeout": timeout}]}
        use = {"use": {"flow": "buy.yaml"}}
        document = {"name": "Order twice", "base_url": site.url, "flows": {"buy.yaml": flow}}
        return parse_case({**document, "steps": [{"goto": "/flow"}, use, use]}, source="case")

    site.page("/flow", OLD)
    assert (await harness.test(written("30s"))).status == "completed"
    site.page("/flow", NEW)
    result = await harness.test(written("1500ms"))
    rows = harness.store.list_adaptations([result.test_run_id])
    assert [row.step_key for row in rows] == ["buy.yaml:1:click"] * 2
    judged = adaptations.accept(harness.store, rows[0].id, by="ann")
    assert judged.place == "buy.yaml:1"
    assert judged.case is not None
    assert judged.case.definition["flows"]["buy.yaml"]["steps"][0]["click"] == rows[0].new_target
