"""Throughput, latency and memory of the worker, compared with other tools: docs/engine.md describes it.

python benchmarks/worker.py [--rounds 3] [--runs 40] [--quick]
python benchmarks/worker.py --against COMMIT [--rounds 5] [--runs 40]

Writes benchmarks/out/worker.json, docs/engine.svg and the tables of docs/engine.md; with --quick (a try of the
benchmark itself, a few runs each) it prints them and leaves docs/ alone. With --against it compares this checkout's
worker with that of a commit instead, in turns, and ends with 1 if it does less than 0.98 of its runs per second.
"""

from __future__ import annotations

import argparse
from typing import Any

from benchmarks.engine.against import NO_SLOWER, against, checkout
from benchmarks.engine.contenders import others, ours
from benchmarks.engine.kit import Kit, install
from benchmarks.engine.latency import latency
from benchmarks.engine.report import DOCUMENT, draw, machine, tables, write_json, write_section
from benchmarks.engine.rounds import measure
from benchmarks.engine.service import BenchService, started_service
from benchmarks.engine.small import backlog, no_op


def bench(place: BenchService, kit: Kit, rounds: int, runs: int) -> dict[str, Any]:
    """Everything, in one run."""
    result: dict[str, Any] = {"machine": machine()}
    result["five steps"] = measure(place, [*others(kit), *ours()], rounds=rounds, runs=runs)
    result["latency"] = latency(place, runs=runs)
    result["no-op"] = no_op(place, rounds=rounds, jobs=100)
    result["backlog"] = backlog(place, jobs=300)
    return result


def compare(commit: str, *, rounds: int, runs: int) -> None:
    """Compare with a commit, and write benchmarks/out/worker-against.json.

    Raises:
        SystemExit: this checkout is slower.
    """
    with checkout(commit) as other, started_service(supabase=False) as place:
        result = {"machine": machine(), "commit": commit} | against(place, other, rounds=rounds, runs=runs)
    written = write_json("worker-against", result)
    print(f"ratio {result['ratio']} (at least {NO_SLOWER}); written to {written}")
    if result["ratio"] < NO_SLOWER:
        raise SystemExit(1)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--runs", type=int, default=40, help="of each way in each round")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--against", metavar="COMMIT", help="compare with the worker of this commit only")
    asked = parser.parse_args()
    if asked.against:
        compare(asked.against, rounds=asked.rounds, runs=asked.runs)
        return
    rounds, runs = (1, 8) if asked.quick else (asked.rounds, asked.runs)
    kit = install()
    with started_service(supabase=True) as place:
        result = bench(place, kit, rounds, runs)
    print(tables(result))
    written = write_json("worker-quick" if asked.quick else "worker", result)
    if not asked.quick:
        write_section("figures", tables(result))
        draw(kit, "worker", written, DOCUMENT.with_name("engine.svg"))
    print(f"written to {written}")


if __name__ == "__main__":
    main()
