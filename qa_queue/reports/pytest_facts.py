"""The facts of pytest's own reports as plain values.

A host process loads this module by its path, in an environment that need not have qa-queue: it imports nothing.
"""

from __future__ import annotations

from typing import Any

STEPS_PROPERTY, TAGS_PROPERTY = "qa_steps", "qa_tags"  # of pytest's user properties
ACTION = "pytest."  # begins the action of every row of a pytest test
XFAIL_ACTION = "pytest.xfail"
HOST_PLUGIN = "qa_queue_host"  # the plugin of a host process, which adds the snapshot itself
SNAPSHOT_SECTION = "page snapshot"
SNAPSHOT_TITLE = f"Captured {SNAPSHOT_SECTION} call"  # as pytest names the section
_SNAPSHOT_MS = 2_000


def action_of(phase: str | None, *, expected_failure: bool) -> str:
    """Return the action of the row of a phase, or of a step that the test named (None)."""
    return XFAIL_ACTION if expected_failure else f"{ACTION}{phase or 'step'}"


def facts_of(report: Any) -> dict[str, Any]:
    """Return the fields of a `Phase` from a `pytest.TestReport`, as JSON."""
    crash = getattr(report.longrepr, "reprcrash", None)
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else None
    message = crash.message if crash is not None else reason
    if message is None and report.longrepr:
        message = error_line(str(report.longrepr))
    facts = {
        "when": report.when,
        "outcome": report.outcome,
        "start": report.start,
        "stop": report.stop,
        "duration": report.duration,
        "message": message,
        "traceback": report.longreprtext if report.longrepr and reason is None else "",
        "wasxfail": getattr(report, "wasxfail", None),
        "sections": [[title, text] for title, text in report.sections],
        "properties": [[name, str(value)] for name, value in report.user_properties],
    }
    return {name: without_surrogates(value) for name, value in facts.items()}


def without_surrogates(value: Any) -> Any:
    """Return a JSON value with lone surrogates, which no file or database can hold, written as `\\ud800`."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return {without_surrogates(name): without_surrogates(one) for name, one in value.items()}
    return [without_surrogates(one) for one in value] if isinstance(value, list) else value


class Subtests:
    """Failed subtests: pytest reports each beside its test, whose own report may say that it passed."""

    def __init__(self) -> None:
        self._failed: dict[str, list[dict[str, Any]]] = {}

    def facts_of(self, report: Any) -> dict[str, Any] | None:
        """Return the facts of a report; of a subtest None, as its failure becomes that of its test."""
        facts = facts_of(report)
        context = getattr(report, "context", None)
        if hasattr(context, "kwargs"):
            if report.failed:
                facts["message"] = f"{_name_of(context)}: {facts['message']}"
                self._failed.setdefault(report.nodeid, []).append(facts)
            return None
        failed = self._failed.pop(report.nodeid, []) if report.when == "call" else []
        if failed:
            facts["outcome"], facts["wasxfail"] = "failed", None
            facts["message"] = "\n".join(one["message"] for one in failed)
            facts["traceback"] = "\n\n".join(
                filter(None, (*(one["traceback"] for one in failed), facts["traceback"]))
            )
        return facts


def _name_of(context: Any) -> str:
    """Return the description of a subtest, as `subtest [message] (i=2)`."""
    values = ", ".join(f"{name}={value}" for name, value in context.kwargs.items())
    words = ([f"[{context.msg}]"] if context.msg is not None else []) + ([f"({values})"] if values else [])
    return " ".join(["subtest", *words])


def add_snapshot(item: Any) -> None:
    """Add the aria snapshot of the test's `page` to its report, if it has one of Playwright's synchronous half."""
    snapshot = getattr(getattr(item, "funcargs", {}).get("page"), "aria_snapshot", None)
    if snapshot is None:
        return
    try:
        text = snapshot(timeout=_SNAPSHOT_MS)
    except Exception:  # noqa: BLE001 - the page may be closed, or of another version of Playwright
        return
    if isinstance(text, str):
        item.add_report_section("call", SNAPSHOT_SECTION, text)
    elif hasattr(text, "close"):  # a coroutine
        text.close()


def title_of(node_id: str) -> str:
    """Return the name of a test within its file, its classes before it; parameters stay as they are."""
    names, bracket, parameters = node_id.partition("::")[2].partition("[")
    return f"{names.replace('::', ' > ')}{bracket}{parameters}" or node_id


def error_line(text: str) -> str:
    """Return the first line that pytest marks as an error, or else the last line."""
    marked = (line.removeprefix("E").strip() for line in text.splitlines() if line.startswith("E  "))
    return next(filter(None, marked), None) or last_line(text)


def last_line(text: str) -> str:
    """Return the last line that is not empty, without pytest's mark of an error line."""
    lines = [line for line in text.strip().splitlines() if line.strip()]
    return lines[-1].removeprefix("E").strip() if lines else "no message"
