"""Throughput, latency and memory of the worker, compared with other tools: docs/engine.md describes it.

python benchmarks/worker.py [--rounds 3] [--runs 40] [--quick]

Writes benchmarks/out/worker.json, docs/engine.svg and the tables of docs/engine.md; with --quick (a try of the
benchmark itself, a few runs each) it prints them and leaves docs/ alone.
"""

from __future__ import annotations

import argparse
from typing import Any

from benchmarks.engine.contenders import others, ours
from benchmarks.engine.kit import Kit, install
from benchmarks.engine.latency import latency
from benchmarks.engine.report import DOCUMENT, draw, machine, tables, write_json, write_section
from benchmarks.engine.rounds import measure
from benchmarks.engine.scene import Scene, scene
from benchmarks.engine.small import backlog, no_op


def bench(place: Scene, kit: Kit, rounds: int, runs: int) -> dict[str, Any]:
    """Everything, in one run."""
    result: dict[str, Any] = {"machine": machine()}
    result["five steps"] = measure(place, [*others(kit), *ours()], rounds=rounds, runs=runs)
    result["latency"] = latency(place, runs=runs)
    result["no-op"] = no_op(place, rounds=rounds, jobs=100)
    result["backlog"] = backlog(place, jobs=300)
    return result


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--runs", type=int, default=40, help="of each way in each round")
    parser.add_argument("--quick", action="store_true")
    asked = parser.parse_args()
    rounds, runs = (1, 8) if asked.quick else (asked.rounds, asked.runs)
    kit = install()
    with scene(supabase=True) as place:
        result = bench(place, kit, rounds, runs)
    print(tables(result))
    written = write_json("worker-quick" if asked.quick else "worker", result)
    if not asked.quick:
        write_section("figures", tables(result))
        draw(kit, "worker", written, DOCUMENT.with_name("engine.svg"))
    print(f"written to {written}")


if __name__ == "__main__":
    main()
