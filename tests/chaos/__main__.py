"""`python -m tests.chaos`: carry out chaos runs, one after the other, and write down what they found."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from qa_queue.local.supabase import start_supabase
from qa_queue.settings import load_settings
from qa_queue.settings.chromium import find_browser
from tests.chaos.plan import draw
from tests.chaos.program import carry_out

ROOT = Path(__file__).resolve().parents[2]


def main() -> int:
    """Run the seeds of the command line; return 1 if any of them found a violation."""
    parser = argparse.ArgumentParser(description="Chaos runs: seeded workers, runs and overlapping faults.")
    parser.add_argument("--seeds", type=int, default=1, help="number of seeds")
    parser.add_argument("--first", type=int, default=1, help="the first seed; with --seeds 1 the only one")
    parser.add_argument("--short", action="store_true", help="15 s instead of 60 s, without Chromium")
    parser.add_argument("--keep", type=Path, help="folder for the logs of seeds with violations")
    arguments = parser.parse_args()
    found = 0
    browser = find_browser(load_settings())
    with tempfile.TemporaryDirectory(prefix="chaos-") as folder:
        parts = Path(folder)
        with start_supabase(parts / "supabase", cache=ROOT / ".qa" / "cache") as supabase:
            for seed in range(arguments.first, arguments.first + arguments.seeds):
                own = parts / str(seed)
                own.mkdir()
                result = carry_out(draw(seed, short=arguments.short), own, supabase, browser)
                print(result, flush=True)  # noqa: T201 - a program
                found += bool(result.violations)
                if result.violations and arguments.keep:
                    shutil.copytree(own, arguments.keep / str(seed), dirs_exist_ok=True)
                shutil.rmtree(own)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
