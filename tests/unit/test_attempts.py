"""What is kept of a failed attempt."""

from __future__ import annotations

from qa_queue.queues.attempts import CUT, ERROR_LENGTH, TRACEBACK_LENGTH, AttemptFailure, truncated
from tests.support.records import NOON


def failure(**overrides: object) -> AttemptFailure:
    return AttemptFailure(**{"number": 1, "kind": "infrastructure", "error": "e", "failed_at": NOON, **overrides})


def test_a_short_failure_stays_as_it_is() -> None:
    """Nothing is cut that fits."""
    whole = failure(error="x" * ERROR_LENGTH, traceback="y" * TRACEBACK_LENGTH)
    assert truncated(whole) == whole


def test_a_long_error_keeps_its_beginning_and_a_long_traceback_its_end() -> None:
    """The end of a traceback says where it happened."""
    cut = truncated(failure(error="x" * ERROR_LENGTH + "lost", traceback="lost" + "y" * TRACEBACK_LENGTH))
    assert cut.error == "x" * ERROR_LENGTH + CUT
    assert cut.traceback == CUT + "y" * TRACEBACK_LENGTH
