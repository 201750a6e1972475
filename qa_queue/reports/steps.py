"""Named steps inside a pytest test: `with qa_queue.step("Add to cart"): ...`."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from qa_queue.reports.model import Outcome, ReportStep

_recorder: ContextVar[StepRecorder | None] = ContextVar("qa_queue_step_recorder", default=None)


class StepRecorder:
    """Collects the steps of one phase of a test; `prefix` is the position of that phase."""

    def __init__(self, prefix: str) -> None:
        self.steps: list[ReportStep] = []
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
        index = len(self.steps)
        self.steps.append(ReportStep(position=position, name=name, outcome=Outcome.UNFINISHED, duration_ms=0))
        self._counters.append(0)
        started, outcome, error = time.monotonic(), Outcome.PASSED, None
        try:
            yield
        except BaseException as raised:
            outcome, error = Outcome.FAILED, f"{type(raised).__name__}: {raised}"
            raise
        finally:
            self._counters.pop()
            took = round((time.monotonic() - started) * 1000)
            changed = {"outcome": outcome, "error": error, "duration_ms": took}
            self.steps[index] = self.steps[index].model_copy(update=changed)


@contextmanager
def step(name: str) -> Iterator[None]:
    """Name a part of a pytest test for its report. Without a report it does nothing."""
    recorder = _recorder.get()
    if recorder is None:
        yield
        return
    with recorder.record(name):
        yield
