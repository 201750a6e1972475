"""Ctrl-C, and SIGTERM, by which a CI system ends a step. Imports nothing that takes time."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import FrameType

INTERRUPTED = 128 + signal.SIGINT
_TEXT = b"Interrupted.\n"


def leave_on_interrupt() -> None:
    """Let Ctrl-C end the process at once: while it starts and ends, no part of it is in a state to handle it."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # not where the caller ignores it
        signal.signal(signal.SIGINT, _leave)


def raise_on_interrupt() -> None:
    """Let Ctrl-C raise KeyboardInterrupt again, after `leave_on_interrupt`."""
    if signal.getsignal(signal.SIGINT) is _leave:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _leave(_signal: int, _frame: FrameType | None) -> None:
    os.write(2, _TEXT)
    os._exit(INTERRUPTED)


@contextmanager
def _handled(handler: Callable[[int, FrameType | None], None], *numbers: int) -> Iterator[None]:
    """Handle these signals meanwhile."""
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, handled in before.items():
            signal.signal(number, handled)


@contextmanager
def sigterm_interrupts() -> Iterator[None]:
    """Treat SIGTERM as Ctrl-C, so that the runs are cancelled."""

    def interrupt(_signal: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    with _handled(interrupt, signal.SIGTERM):
        yield


@contextmanager
def held_interrupts() -> Iterator[Callable[[], None]]:
    """Hold back the first Ctrl-C or SIGTERM; the second one raises KeyboardInterrupt.

    Yields the function that ends this before the block does. It raises KeyboardInterrupt if one was held back.
    """
    held: list[int] = []

    def hold(number: int, _frame: FrameType | None) -> None:
        if held:
            raise KeyboardInterrupt
        held.append(number)

    with ExitStack() as holding:
        holding.enter_context(_handled(hold, signal.SIGINT, signal.SIGTERM))

        def release() -> None:
            holding.close()
            if held:
                raise KeyboardInterrupt

        yield release
