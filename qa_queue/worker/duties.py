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
        failure = _attempt(duty)
        if failure and failure != told:
            log.warning("The scheduler could not %s: %s Trying again.", duty.name, failure)
        if told and not failure:
            log.info("The scheduler can %s again", duty.name)
        told = failure
        stop.wait(duty.every_s)


def _attempt(duty: Duty) -> str:
    """Do it once; returns why it failed, in a sentence, or nothing."""
    try:
        duty.do()
    except QAError as error:
        return str(error)
    except (RedisError, OSError) as error:
        return f"{error}."
    except Exception as error:
        log.exception("The scheduler could not %s; this is a fault of its own", duty.name)
        return f"{type(error).__name__}."
    return ""
