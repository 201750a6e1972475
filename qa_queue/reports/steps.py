"""Named steps inside a pytest test: `with qa_queue.step("Add to cart"): ...`."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

_recorder: ContextVar[StepRecorder | None] = ContextVar("qa_queue_step_recorder", default=None)


class StepRecorder:
    """Collects the steps of one phase of a test, as the fields of `ReportStep`; `prefix` is the phase's position.

    Every suite that names steps imports this module, so it needs the standard library only.
    """

    def __init__(self, prefix: str) -> None:
        self.steps: list[dict[str, Any]] = []
        self._prefix = prefix
        self._counters = [0]

    @contextmanager
    def active(self) -> Iterator[StepRecorder]:
        """Record steps while the block runs."""
        token = _recorder.set(self)
        try:
            yield self
        finally:
            _recorder.reset(token)

    @contextmanager
    def record(self, name: str) -> Iterator[None]:
        """Record one step; a step within it gets a longer position."""
        self._counters[-1] += 1
        position = ".".join([self._prefix, *map(str, self._counters)])
        step: dict[str, Any] = {"position": position, "name": name, "outcome": "unfinished", "duration_ms": 0}
        self.steps.append(step)
        self._counters.append(0)
        started = time.monotonic()
        try:
            yield
            step["outcome"] = "passed"
        except BaseException as raised:
            step |= {"outcome": "failed", "error": f"{type(raised).__name__}: {raised}"}
            raise
        finally:
            self._counters.pop()
            step["duration_ms"] = round((time.monotonic() - started) * 1000)


@contextmanager
def step(name: str) -> Iterator[None]:
    """Name a part of a pytest test for its report. Without a report it does nothing."""
    recorder = _recorder.get()
    if recorder is None:
        yield
        return
    with recorder.record(name):
        yield
