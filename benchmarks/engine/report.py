"""The result as tables in docs/engine.md, as plots beside it, and as JSON."""

from __future__ import annotations

import json
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

from benchmarks.engine.goals import goals
from benchmarks.engine.kit import ROOT, Kit

DOCUMENT = ROOT / "docs" / "engine.md"
OUT = ROOT / "benchmarks" / "out"
_PLOT = Path(__file__).parent / "plot.py"
_HEAD = """\
| way | runs/s | lowest, highest | with start-up | CPU, ms a run | MB, of each run at once |
|---|---|---|---|---|---|"""


def machine() -> str:
    """The day and the machine, in words."""
    gib = psutil.virtual_memory().total / (1 << 30)
    load = psutil.getloadavg()[1]
    return f"{datetime.now(UTC):%Y-%m-%d}, {psutil.cpu_count()} cores, {gib:.0f} GiB, load {load:.1f} over 5 min"


def write_json(name: str, result: dict[str, Any]) -> Path:
    """Write `benchmarks/out/NAME.json`."""
    OUT.mkdir(exist_ok=True)
    path = OUT / f"{name}.json"
    path.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    return path


def draw(kit: Kit, kind: str, source: Path, target: Path) -> None:
    """Draw a plot of a result, by the benchmark's own Python."""
    subprocess.run([kit.python, _PLOT, kind, source, target], check=True)


def write_section(name: str, text: str) -> None:
    """Replace what stands between the marks of this name in docs/engine.md."""
    start, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    before, rest = DOCUMENT.read_text(encoding="utf-8").split(start)
    after = rest.split(end)[1]
    DOCUMENT.write_text(f"{before}{start}\n{text}\n{end}{after}", encoding="utf-8")


def tables(result: dict[str, Any]) -> str:
    """All tables of the worker's benchmark, in Markdown."""
    parts = [f"Run of {result['machine']}.", _goals(result), _ways(result["five steps"]), _small(result)]
    return "\n\n".join(parts)


def _goals(result: dict[str, Any]) -> str:
    lines = ["| figure | measured | goal | reached |", "|---|---|---|---|"]
    for one in goals(result):
        bound = f"at {'most' if one.most else 'least'} {one.goal:g} {one.unit}"
        lines.append(f"| {one.name} | {one.value:g} {one.unit} | {bound} | {'yes' if one.reached else 'no'} |")
    return "\n".join(lines)


def _ways(rows: list[dict[str, Any]]) -> str:
    return "\n".join([_HEAD, *map(_way, rows)])


def _way(row: dict[str, Any]) -> str:
    low, high = row["spread"]
    cpu = ", ".join(f"{role} {ms}" for role, ms in row["cpu_ms_per_run"].items() if ms)
    return (
        f"| {row['name']} | {row['per_s']:.2f} | {low:.2f}, {high:.2f} | {row['from_nothing_per_s']:.2f} "
        f"| {cpu} | {row['mb_per_run']:.0f} |"
    )


def _small(result: dict[str, Any]) -> str:
    rates = result["no-op"]["per_s"]
    lines = [
        f"Jobs that do nothing: rq.Worker {rates['rq.Worker']:g}/s, qa-queue {rates['qa-queue']:g}/s.",
        "",
        "| jobs that wait | no-op jobs/s | worker, MB | Redis, CPU ms a job | Redis, kB a waiting job |",
        "|---|---|---|---|---|",
    ]
    for row in result["backlog"]:
        lines.append(
            f"| {row['waiting']:,} | {row['per_s']:g} | {row['worker_mb']:.0f} | {row['redis_cpu_ms_per_job']:g} "
            f"| {row['redis_kb_per_waiting_job']:g} |"
        )
    return "\n".join(lines)
