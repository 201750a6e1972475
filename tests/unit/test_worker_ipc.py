"""Lines, messages and the socket between a worker and its child."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from pydantic_core import PydanticSerializationError

from qa_queue.models import JobContext
from qa_queue.models.outcomes import FailureKind
from qa_queue.worker.ipc import (
    Cancel,
    Channel,
    ChildFailure,
    Done,
    LineBuffer,
    Message,
    Ready,
    Run,
    Start,
    Stop,
    decode,
    encode,
)

CONTEXT = JobContext(
    job_id="a", queue="test-execution", attempt=2, max_attempts=3, enqueued_at=datetime(2026, 1, 8, tzinfo=UTC)
)
MESSAGES: list[Message] = [
    Start(redis_url="redis://:päss@h/0", queues=("cleanup",)),
    Run(id="1", function="f", data={"text": "a\nb", "deep": {"n": [1, 2.5, None]}}, context=CONTEXT),
    Cancel(id="1", failure=ChildFailure(kind=FailureKind.TIMED_OUT, message="late")),
    Done(id="1", result=None),
    Stop(),
    Ready(),
]


@given(st.lists(st.binary().map(lambda b: b.replace(b"\n", b"")), max_size=8), st.lists(st.integers(0, 60)))
def test_lines_come_out_whole_however_they_are_cut(lines, cuts):
    """The end of the stream may fall anywhere."""
    stream = b"".join(line + b"\n" for line in lines)
    points = sorted({min(cut, len(stream)) for cut in cuts} | {0, len(stream)})
    buffer = LineBuffer()
    found = [line for a, b in pairwise(points) for line in buffer.feed(stream[a:b])]
    assert found == lines


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: message.type)
def test_messages_survive_the_journey(message):
    """As one line each."""
    line = encode(message)
    assert line.count(b"\n") == 1
    assert decode(line) == message


def test_what_is_no_json_cannot_be_sent():
    """The sender hears of it."""
    with pytest.raises(PydanticSerializationError):
        encode(Done(id="1", result={"x": object()}))


@pytest.mark.parametrize("line", [b"", b"{}", b'{"type": "nonsense"}', b"\xff"])
def test_what_is_no_message_is_refused(line):
    """Never half understood."""
    with pytest.raises(ValidationError):
        decode(line)


@pytest.fixture
def channels() -> Iterator[tuple[Channel, Channel]]:
    left, right = map(Channel, socket.socketpair())
    yield left, right
    left.close()
    right.close()


def test_a_large_message_blocks_nobody(channels):
    """5 MB go out bit by bit while the other side reads."""
    left, right = channels
    message = Done(id="1", result="x" * 5_000_000)
    left.send(message)
    assert left.pending
    received: list[Message] = []
    while not received:
        left.flush()
        received += right.receive()
    assert received == [message]
    assert not left.pending


def test_the_other_sides_end_is_seen(channels):
    """After what it said last; then sending does nothing."""
    left, right = channels
    left.send(Ready())
    left.close()
    assert right.receive() == [Ready()]
    assert right.closed
    right.send(Stop())
