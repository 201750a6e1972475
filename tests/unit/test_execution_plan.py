"""What a run is going to do."""

from __future__ import annotations

from typing import Any

import pytest

from processors.browser.protocol import TraceContent
from processors.execution.plan import RunPlan, plan_run, secret_names
from qa_queue.cases.hosts import HostList
from qa_queue.cases.locations import with_step_lines
from qa_queue.cases.model import Case, Use
from qa_queue.errors import CaseError, InputError
from qa_queue.models import EvidenceMode, TestConfig, TestJobData, Viewport
from qa_queue.settings import Secret
from tests.support.steps import case, goto, on, step


def plan(written: Case, secrets: dict[str, str] | None = None, **data: Any) -> RunPlan:
    """The plan of a case."""
    payload = TestJobData(**{"test_case_id": "c", "test_run_id": "r"} | data)
    known = {name: Secret(value, "*") for name, value in (secrets or {}).items()}
    return plan_run(written, payload, known)


def test_values_are_filled_in_beside_what_was_written() -> None:
    """People read the step as written, the browser gets the value."""
    planned = plan(case(on("fill", "#x", value="${secret.A}")), {"A": "s3cret"}).steps[0]
    assert (planned.written.args.value, planned.resolved.args.value) == ("${secret.A}", "s3cret")
    assert "s3cret" not in repr(planned)


def test_the_names_of_secrets() -> None:
    """Only secrets, each once."""
    steps = (on("fill", "#x", value="${secret.A}${env.B}"), on("fill", "#y", value="${secret.A}${secret.C}"))
    assert secret_names(case(*steps)) == {"A", "C"}


def test_a_missing_value_is_named() -> None:
    """Before any browser starts."""
    with pytest.raises(CaseError, match=r"\$\{secret.A\} has no value: set QA_SECRET_A for the workers"):
        plan(case(on("fill", "#x", value="${secret.A}")))
    lined = with_step_lines(case(on("fill", "#x", value="${secret.A}")), {"": [3]})
    with pytest.raises(CaseError, match=r"^step 1 \(in\.yaml:3\): \$\{secret.A\} has no value"):
        plan(lined, source="in.yaml")


def test_the_hosts_of_token_and_case_narrow_those_of_the_operator() -> None:
    """Each is a list of its own, so that a destination has to be on both."""
    use = Use.model_validate({"network": {"allow": ["${env.SITE}", "*.cdn.example"], "deny": ["ads.example"]}})
    given = plan(case(goto("/"), use=use), env={"SITE": "shop.example:443"}, allowed_hosts=("10.0.0.0/8",))
    token, own = given.session_options(1).network
    assert (token.rule, own.rule) == ("token", "case")
    assert own.allow == HostList.parse("shop.example:443, *.cdn.example")
    assert own.deny == HostList.parse("ads.example")
    assert plan(case(goto("/"))).session_options(1).network == ()
    with pytest.raises(InputError, match="'a/b' is not a host"):
        plan(case(goto("/"), use=use), env={"SITE": "a/b"})


@pytest.mark.parametrize("run_id", ["../x", "a/b", "", "a b", "x" * 101])
def test_an_id_names_a_folder(run_id: str) -> None:
    """Anything that could leave the artifacts folder is refused."""
    with pytest.raises(InputError, match="is not an id"):
        plan(case(goto("/")), test_run_id=run_id)


def test_the_payload_wins() -> None:
    """Base URL, time-out and trace of the job over those of the case."""
    own = plan(case(goto("/"), base_url="http://${env.H}", timeout_ms=7, trace="off"), env={"H": "host"})
    config = TestConfig(timeout=9, trace=EvidenceMode.ON)
    given = plan(case(goto("/"), base_url="http://a", timeout_ms=7), base_url="http://b", config=config)
    assert (own.base_url, own.timeout_ms, own.evidence.trace) == ("http://host", 7, EvidenceMode.OFF)
    assert (given.base_url, given.timeout_ms, given.evidence.trace) == ("http://b", 9, EvidenceMode.ON)


@pytest.mark.parametrize(
    ("use", "config", "size"),
    [
        ({}, {}, Viewport()),
        ({"device": "Pixel 7"}, {}, None),
        ({"device": "Pixel 7", "viewport": {"width": 5}}, {}, Viewport(width=5)),
        ({"viewport": {"width": 5}}, {"viewport": {"width": 6}}, Viewport(width=6)),
    ],
)
def test_the_size_of_the_page(use: dict[str, Any], config: dict[str, Any], size: Viewport | None) -> None:
    """The job's, else the case's, else the device's."""
    planned = plan(case(goto("/"), use=Use(**use)), config=TestConfig(**config))
    assert planned.session_options(1).viewport == size


def test_attempts_are_counted_through() -> None:
    """Every try of every attempt of the job has a number of its own."""
    planned = plan(case(goto("/"), retries=2))
    assert [planned.attempt_number(job, again) for job in (1, 2) for again in (1, 2, 3)] == [1, 2, 3, 4, 5, 6]


def test_the_session_knows_the_secrets() -> None:
    """So that it can hide them, and makes no film."""
    planned = plan(case(on("fill", "#x", value="${secret.A}"), trace="on"), {"A": "s3cret"})
    options = planned.session_options(1)
    assert (options.secrets, options.trace) == (("s3cret",), TraceContent.SNAPSHOTS)


@pytest.mark.parametrize("answer", [{"url": "**/app.js", "body": "send()"}, {"url": "**", "abort": "failed"}])
def test_a_case_that_answers_pages_itself_gets_no_secrets(answer: dict[str, Any]) -> None:
    """A script of its own could send what is typed anywhere; a run of the operator may have both."""
    typed = on("fill", "#password", value="${secret.PASSWORD}")
    written = case(step("mock", args=answer), typed)
    with pytest.raises(
        InputError, match=r"'mock \*\*.*' answers requests of pages, so the case may not use secrets"
    ):
        plan_run(written, payload(trusted=False), {"PASSWORD": Secret("espresso", "shop.example")})
    plan_run(written, payload(trusted=True), {"PASSWORD": Secret("espresso")})
    plan_run(case(step("mock", args=answer)), payload(trusted=False), {})


def payload(**data: Any) -> TestJobData:
    return TestJobData(**{"test_case_id": "c", "test_run_id": "r", **data})
