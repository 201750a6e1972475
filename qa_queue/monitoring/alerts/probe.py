"""Looking at a part that may take long to answer, from a thread of its own, so that a look waits for nothing."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from qa_queue.errors import QAError

PATIENCE_S = 10.0  # after which a part that does not answer counts as away


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What is known of the part: `known` is False before the first answer; `error` is None when it is well."""

    known: bool
    error: str | None = None


class Probe:
    """Calls `check` in a thread, one call at a time; `check` raises a `QAError` when the part is away."""

    def __init__(self, check: Callable[[], None], patience_s: float = PATIENCE_S) -> None:
        self._check = check
        self._patience_s = patience_s
        self._lock = threading.Lock()
        self._started: float | None = None  # of the call that is under way, monotonic
        self._answer = Answer(known=False)

    def look(self) -> Answer:
        """What is known now; has the part looked at again for the next time."""
        with self._lock:
            if self._started is None:
                self._started = time.monotonic()
                threading.Thread(target=self._ask, name="alerts probe", daemon=True).start()
                return self._answer
            waited = time.monotonic() - self._started
        if waited < self._patience_s:
            return self._answer
        return Answer(known=True, error=f"it has not answered for {waited:.0f} s.")

    def _ask(self) -> None:
        answer = Answer(known=True)
        try:
            self._check()
        except QAError as error:
            answer = Answer(known=True, error=str(error))
        finally:
            with self._lock:
                self._answer, self._started = answer, None
