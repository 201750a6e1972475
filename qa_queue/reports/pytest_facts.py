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
        message = last_line(str(report.longrepr))
    return {
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


def last_line(text: str) -> str:
    """Return the last line that is not empty, without pytest's mark of an error line."""
    lines = [line for line in text.strip().splitlines() if line.strip()]
    return lines[-1].removeprefix("E").strip() if lines else "no message"
