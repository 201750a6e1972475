"""Run many runs on one worker and check that nothing grows: docs/engine.md describes it.

python -m benchmarks.soak [--runs 1000]

As many runs without recycling and with a small heap for Playwright's driver, so that its garbage is collected
and only what leaks can grow; then 40 % as many with a new child every tenth of them. Four at once, five steps
each, rows in Supabase Lite, traces as shipped. Writes benchmarks/out/soak.json; from 300 runs on also
docs/soak.svg and the table of docs/engine.md. Exits with 1 when anything grew by more than `growth.py` allows.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict

from benchmarks.engine.kit import install
from benchmarks.engine.report import DOCUMENT, draw, machine, write_json, write_section
from benchmarks.engine.service import started_service
from benchmarks.soak.growth import ENOUGH, Growth, growths
from benchmarks.soak.soaking import Soak, soak

SMALL_HEAP_MB = 96  # what four runs at once need, and little more: by default V8 lets garbage lie up to gigabytes


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=1000)
    runs = parser.parse_args().runs
    kit = install()
    with started_service(supabase=True) as place:
        every = max(1, runs // 10)
        steady = soak(place, name="without recycling", runs=runs, recycle=0, heap_mb=SMALL_HEAP_MB)
        renewed = soak(place, name=f"a new child every {every} runs", runs=4 * runs // 10, recycle=every)
    found = growths(steady.samples)
    text = table(steady, renewed, found)
    print(text)
    result = {
        "machine": machine(),
        "soaks": [asdict(steady), asdict(renewed)],
        "growth": [asdict(g) for g in found],
    }
    written = write_json("soak", result)
    if runs < ENOUGH:
        print(f"fewer than {ENOUGH} runs: nothing is judged, docs/ stays as it is")
        return 0
    draw(kit, "soak", written, DOCUMENT.with_name("soak.svg"))
    write_section("soak", text)
    return 1 if any(one.too_much for one in found) else 0


def table(steady: Soak, renewed: Soak, found: list[Growth]) -> str:
    """Return the results in Markdown."""
    lines = [f"Run of {machine()}."]
    for one in (steady, renewed):
        sizes = [sum(sample.pss_mb.values()) for sample in one.samples]
        lines.append(
            f"- {one.name}: {one.samples[-1].runs} runs in {one.seconds:.0f} s; all processes together "
            f"{min(sizes):.0f} to {max(sizes):.0f} MB."
        )
    lines += ["", "| without recycling, per 1000 runs | grows by | may | |", "|---|---|---|---|"]
    for growth in found:
        verdict = "too much" if growth.too_much else "good"
        lines.append(f"| {growth.what} | {growth.per_1000:+.1f} | {growth.most:g} | {verdict} |")
    return "\n".join(lines)


if __name__ == "__main__":
    raise SystemExit(main())
