"""`python plot.py worker|soak RESULT.json PLOT.svg`, with the Python that has the dependency group `bench`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("svg")
import matplotlib.pyplot as plt

mpl.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "qa-queue", "font.size": 9, "axes.grid": True})
_OURS, _LITE, _BARE, _OTHER = "#2458a6", "#7aa6dd", "#9a9a9a", "#c9803f"


def worker(result: dict[str, Any]) -> Any:
    """Runs per second of every way; throughput and memory against runs at once; no-op jobs against the backlog."""
    figure, (ways, slots, backlog) = plt.subplots(1, 3, figsize=(13, 4.6), width_ratios=(1.7, 1, 1))
    rows = result["five steps"]
    names = [row["name"] for row in rows]
    ways.barh(names, [row["per_s"] for row in rows], color=[_colour(name) for name in names])
    ways.invert_yaxis()
    ways.set_title("five-step runs per second")
    _against_slots(slots, rows)
    _against_backlog(backlog, result["backlog"])
    return figure


def soak(result: dict[str, Any]) -> Any:
    """Memory of each part against the runs done, a plot for each way of recycling."""
    figure, plots = plt.subplots(1, len(result["soaks"]), figsize=(11, 4), sharey=True, squeeze=False)
    for axes, one in zip(plots[0], result["soaks"], strict=True):
        runs = [sample["runs"] for sample in one["samples"]]
        for part in ("parent", "child", "driver", "browser", "pages"):
            axes.plot(runs, [sample["pss_mb"][part] for sample in one["samples"]], label=part)
        axes.set_title(one["name"])
        axes.set_xlabel("runs done")
    plots[0][0].set_ylim(bottom=0)
    plots[0][0].set_ylabel("PSS, MB")
    plots[0][-1].legend()
    return figure


def _colour(name: str) -> str:
    if name.startswith("qa-queue"):
        return _LITE if "Lite" in name else _OURS
    return _BARE if name.startswith("bare") else _OTHER


def _against_slots(axes: Any, rows: list[dict[str, Any]]) -> None:
    kinds = (("qa-queue, in memory", _OURS), ("qa-queue, Supabase Lite", _LITE), ("bare async loop", _BARE))
    memory = axes.twinx()
    memory.grid(visible=False)
    for kind, colour in kinds:
        of_kind = [row for row in rows if row["name"].startswith(f"{kind}, ") and "with" not in row["name"]]
        of_kind = [row for row in of_kind if "workers" not in row["name"]]
        at_once = [row["at_once"] for row in of_kind]
        axes.plot(at_once, [row["per_s"] for row in of_kind], "o-", color=colour, label=kind)
        memory.plot(at_once, [row["mb_per_run"] for row in of_kind], "s:", color=colour)
    axes.set_title("runs/s (line), MB of each run (dotted)")
    axes.set_xlabel("runs at once in one process")
    axes.set_ylim(bottom=0)
    memory.set_ylim(bottom=0)
    axes.legend(loc="lower right", fontsize=7)


def _against_backlog(axes: Any, rows: list[dict[str, Any]]) -> None:
    waiting = [row["waiting"] for row in rows]
    axes.semilogx(waiting, [row["per_s"] for row in rows], "o-", color=_OURS, label="no-op jobs/s")
    axes.semilogx(waiting, [row["worker_mb"] for row in rows], "s:", color=_OTHER, label="worker, MB")
    axes.set_title("against the jobs that wait")
    axes.set_xlabel("jobs that wait")
    axes.set_ylim(bottom=0)
    axes.legend(fontsize=7)


if __name__ == "__main__":
    kind, source, target = sys.argv[1:]
    drawn = {"worker": worker, "soak": soak}[kind](json.loads(Path(source).read_text(encoding="utf-8")))
    drawn.tight_layout()
    drawn.savefig(target, metadata={"Date": None})
