"""Serve the sites: `python -m examples.sites --port 8090 --bug total-stale`."""

from __future__ import annotations

import argparse
import sys
import threading

from examples.sites import TESTS, serve

BUGS = [bug for test in TESTS for bug in test.bugs]


def main() -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(prog="python -m examples.sites", description=__doc__)
    parser.add_argument("--port", type=int, default=8090)
    parser.add_argument("--bug", default="", choices=["", *BUGS], help="The bug to plant.")
    options = parser.parse_args()
    with serve(options.bug, options.port) as url:
        sys.stdout.write(f"The sites are at {url}. Press Ctrl-C to stop.\n")
        sys.stdout.flush()
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            return


if __name__ == "__main__":
    main()
