"""The command line: parse, call, render. The commands are thin; the packages below do the work."""

from __future__ import annotations

import sys

from qa_queue.cli.interrupts import INTERRUPTED, leave_on_interrupt

__all__ = ["main"]


def main() -> None:
    """Run the command line and exit with its code; Ctrl-C ends it with 130, without a traceback."""
    leave_on_interrupt()
    from qa_queue.cli.app import run_command_line

    try:
        run_command_line()
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)  # noqa: T201 - without the imports of a console
        sys.exit(INTERRUPTED)
    finally:
        leave_on_interrupt()
