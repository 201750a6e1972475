"""What the scheduler does again and again: each duty in a thread of its own, so that none holds up another.

A duty that fails is tried again at its next turn. It says so once for each new reason, not at every turn, and once
more when it works again.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from redis.exceptions import RedisError

from qa_queue.errors import QAError

log = logging.getLogger(__name__)

_EXPECTED = (QAError, RedisError, OSError)
_GRACE = 10.0  # s; a duty in the midst of something ends it


@dataclass(frozen=True, kw_only=True)
class Duty:
    """Something to do every `every_s` seconds, counted from the end of the last time; `name` is for messages."""

    name: str
    every_s: float
    do: Callable[[], object]


def serve(duties: Sequence[Duty], stop: threading.Event) -> None:
    """Do every duty until told to stop; none that fails or hangs stops another."""
    threads = [threading.Thread(target=_repeat, args=(duty, stop), name=duty.name, daemon=True) for duty in duties]
    for thread in threads:
        thread.start()
    stop.wait()
    for thread in threads:
        thread.join(_GRACE)


def _repeat(duty: Duty, stop: threading.Event) -> None:
    told = ""
    while not stop.is_set():
        error = _attempt(duty)
        failure = "" if error is None else _reason(error)
        if error is not None and failure != told:
            trace = None if isinstance(error, _EXPECTED) else error
            log.warning("The scheduler could not %s: %s Trying again.", duty.name, failure, exc_info=trace)
        if told and not failure:
            log.info("The scheduler can %s again", duty.name)
        told = failure
        stop.wait(duty.every_s)


def _attempt(duty: Duty) -> Exception | None:
    """Do it once; returns why it failed. A fault of the duty's own must not end the others either."""
    try:
        duty.do()
    except Exception as error:  # noqa: BLE001 - told by the caller, once for each reason
        return error
    return None


def _reason(error: Exception) -> str:
    if isinstance(error, QAError):
        return str(error)
    return f"{error}." if isinstance(error, _EXPECTED) else f"{type(error).__name__}: {error}."
