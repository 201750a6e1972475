"""`make faults` runs every fault test, which takes half an hour; plain pytest runs those marked `short`."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest

from tests.conftest import file_of
from tests.faults.service import FaultService, Recovery
from tests.support.site import serve_site

DOCUMENT = Path(__file__).parents[2] / "docs" / "faults.md"
_START, _END = "<!-- table -->", "<!-- end of table -->"
_COLUMNS = ("| fault | next end, s | all ended, s | outcome of the runs |", "|---|---|---|---|")
_rows: list[str] = []
_recoveries: list[float] = []  # s until all runs had ended


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect the long ones, unless FAULTS is set."""
    if os.environ.get("FAULTS"):
        return
    long = {
        item for item in items if file_of(item).startswith("tests/faults/") and not item.get_closest_marker("short")
    }
    config.hook.pytest_deselected(items=list(long))
    items[:] = [item for item in items if item not in long]


@pytest.fixture
def service(tmp_path: Path, supabase, browser_path) -> Iterator[FaultService]:
    with ExitStack() as stack:
        site = stack.enter_context(serve_site())
        yield FaultService(stack, tmp_path, site, supabase, browser_path)


@pytest.fixture
def survived(request: pytest.FixtureRequest):
    """Add a row to the table; a test calls it at its end, so that only faults that were survived are in it."""

    def note(fault: str, recovery: Recovery | None, outcome: str) -> None:
        times = ("", "") if recovery is None else (f"{recovery.first:.1f}", f"{recovery.all:.1f}")
        _recoveries.extend([] if recovery is None else [recovery.all])
        _rows.append(f"| {fault} | {times[0]} | {times[1]} | {outcome} |")
        print(f"\n{_rows[-1]}")  # noqa: T201 - the recovery time is a result

    return note


def _table() -> str:
    gib = psutil.virtual_memory().total / (1 << 30)
    machine = f"{datetime.now(UTC):%Y-%m-%d}, {psutil.cpu_count()} cores, {gib:.0f} GiB"
    title = f"Run of {machine}; {len(_rows)} faults. {summary(_recoveries)}"
    return "\n".join([title, "", *_COLUMNS, *_rows])


def summary(recoveries: Sequence[float]) -> str:
    """Return median, 95th percentile (nearest rank) and maximum of recovery times in s, as a sentence."""
    if not recoveries:
        return "No recovery was timed."
    ordered = sorted(recoveries)
    median, p95 = (ordered[math.ceil(share * len(ordered)) - 1] for share in (0.5, 0.95))
    return (
        f"Until all runs had ended: median {median:.1f} s, 95th percentile {p95:.1f} s, "
        f"longest {ordered[-1]:.1f} s, of {len(ordered)} that are timed."
    )


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the table if FAULTS is set."""
    if os.environ.get("FAULTS") and _rows:
        terminalreporter.write_line(_table())


def pytest_sessionfinish() -> None:
    """Write the table to docs/faults.md if FAULTS=write."""
    if os.environ.get("FAULTS") != "write" or not _rows:
        return
    table = _table()
    before, rest = DOCUMENT.read_text(encoding="utf-8").split(_START)
    after = rest.split(_END)[1]
    DOCUMENT.write_text(f"{before}{_START}\n{table}\n{_END}{after}", encoding="utf-8")
