"""Values in a run: rows of data, seeds, variables between steps, and secrets in flows."""

from __future__ import annotations

from pathlib import Path

import pytest

from qa_queue.cases.locations import step_lines
from qa_queue.cases.model import Case
from qa_queue.cases.reader import load_cases, parse_case
from qa_queue.models import ErrorKind
from tests.support.running import ExecutionHarness
from tests.support.site import Site

STEPS = """steps:
- goto: /lines
- for_each:
    rows: [ann]
    as: user
    steps:
    - use: {flow: flows/form.yaml, with: {user: "${var.user}"}}
- click: "#n"
"""
FLOW = """flow: Form
params: [user]
steps:
- fill: {label: Name, value: "${param.user}"}
- expect: {label: Name, value: bob}
  timeout: 300ms
"""
FORM = "<label>Name <input id=n></label><p id=out></p>"


def made(site: Site, *steps: object, **fields: object) -> Case:
    """A case on the site, written as a document."""
    return parse_case({"name": "A case", "base_url": site.url, "steps": list(steps), **fields}, source="case")


async def test_a_run_sees_its_row_of_data(harness: ExecutionHarness, site: Site) -> None:
    """Numbers stay numbers in checks."""
    site.page("/row", FORM)
    steps = (
        {"goto": "/row"},
        {"fill": {"label": "Name", "value": "${data.user}"}},
        {"check": {"value": "${data.age}", "equals": 7}},
        {"expect": {"label": "Name", "value": "ann"}},
    )
    case = made(site, *steps, data=[{"user": "ann", "age": 7}])
    row = {"name": "ann", "values": case.data[0]}
    result = await harness.run(harness.submit(case, data_row=row))
    assert (result.status, result.error) == ("completed", None)


async def test_the_seed_of_a_run_repeats_its_values(harness: ExecutionHarness, site: Site) -> None:
    """It is stored with the run, and another run with it types the same."""
    typed: list[str] = []
    site.page("/seed", FORM)
    site.page("/typed", lambda query: typed.append(query["name"]) or "ok")
    case = made(site, {"set": {"name": "${random.word}-${now:unix}"}}, {"goto": "/typed?name=${var.name}"})
    first = harness.submit(case)
    await harness.run(first)
    seed = harness.row(first.test_run_id).seed
    assert seed is not None
    for given in (seed, None):
        await harness.run(harness.submit(case, seed=given))
    assert typed[0] == typed[1] != typed[2]


async def test_a_value_that_no_step_saved_fails_its_step(harness: ExecutionHarness, site: Site) -> None:
    """The step that would save it is optional; the browser is not asked."""
    site.page("/none", FORM)
    case = made(
        site,
        {"goto": "/none"},
        {"extract": {"css": "#gone", "text": "total"}, "optional": True, "timeout": "200ms"},
        {"click": "#${var.total}"},
        {"click": "#n", "always_run": True},
    )
    result = await harness.test(case)
    assert result.error_kind is ErrorKind.INPUT
    assert (result.error or "").startswith("step 3: ${var.total} has no value: add it under 'vars' of the case")
    assert [step.status.value for step in harness.steps(result.test_run_id)] == [
        "passed",
        "skipped",
        "failed",
        "passed",
    ]


async def test_a_secret_stays_one_in_a_flow(
    harness: ExecutionHarness, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is typed into the field, bound to its hosts, and shown nowhere."""
    monkeypatch.setenv("QA_SECRET_PW", "s3cret-word")
    monkeypatch.setenv("QA_SECRET_PW_HOSTS", "127.0.0.1")
    site.page("/flow", FORM)
    flow = {
        "flow": "Sign in",
        "params": {"password": {"secret": True}},
        "steps": [
            {"goto": "/flow"},
            {"fill": {"label": "Name", "value": "${param.password}"}},
            {"expect": {"label": "Name", "value": "${param.password}x"}, "timeout": "300ms"},
        ],
    }
    use = {"use": {"flow": "in", "with": {"password": "${secret.PW}"}}}
    result = await harness.test(made(site, use, flows={"in": flow}))
    steps = harness.steps(result.test_run_id)
    assert [(step.position, step.parents) for step in steps] == [(f"1.{n}", ("Sign in",)) for n in (1, 2, 3)]
    assert steps[1].status.value == "passed"
    assert "expected value" in (result.error or "")
    assert not any("s3cret" in step.model_dump_json() for step in steps)


async def test_a_failure_names_the_line_of_its_step(harness: ExecutionHarness, site: Site, tmp_path: Path) -> None:
    """In its row, in the error of the run and in the progress, and in the file of the flow that it is in."""
    site.page("/lines", FORM)
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows" / "form.yaml").write_text(FLOW)
    (tmp_path / "checkout.yaml").write_text(f"name: Checkout\nbase_url: {site.url}\n{STEPS}")
    (case,) = load_cases(tmp_path / "checkout.yaml")
    result = await harness.run(harness.submit(case, source="cases/checkout.yaml", step_lines=step_lines(case)))
    assert [(step.position, step.source) for step in harness.steps(result.test_run_id)] == [
        ("1", "cases/checkout.yaml:4"),
        ("2[1].1.1", "cases/flows/form.yaml:4"),
        ("2[1].1.2", "cases/flows/form.yaml:5"),
        ("3", "cases/checkout.yaml:10"),
    ]
    assert (result.error or "").startswith("step 2[1].1.2 (cases/flows/form.yaml:5): expected value 'bob'")
    places = [report.step_data.source for report in harness.progress.reports if report.step_data]
    assert places == ["cases/checkout.yaml:4", "cases/flows/form.yaml:4", "cases/flows/form.yaml:5"]


async def test_a_script_is_refused_before_the_browser_starts(harness: ExecutionHarness, site: Site) -> None:
    """Unless the run came from a file, or the operator allows it for all."""
    result = await harness.test(made(site, {"evaluate": "1"}))
    assert result.error_kind is ErrorKind.INPUT
    assert "Set QA_EVALUATE=always for the workers" in (result.error or "")
    assert harness.steps(result.test_run_id) == []
