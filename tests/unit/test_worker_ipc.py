"""Lines, messages and the socket between a worker and its child process."""

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
    ChildReady,
    Done,
    LineBuffer,
    Message,
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
    ChildReady(),
]


@given(st.lists(st.binary().map(lambda b: b.replace(b"\n", b"")), max_size=8), st.lists(st.integers(0, 60)))
def test_lines_are_complete_however_the_stream_is_chunked(lines, cuts):
    """A chunk may end anywhere."""
    stream = b"".join(line + b"\n" for line in lines)
    points = sorted({min(cut, len(stream)) for cut in cuts} | {0, len(stream)})
    buffer = LineBuffer()
    found = [line for a, b in pairwise(points) for line in buffer.feed(stream[a:b])]
    assert found == lines


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: message.type)
def test_a_message_is_decoded_as_it_was_encoded(message):
    """Each is one line."""
    line = encode(message)
    assert line.count(b"\n") == 1
    assert decode(line) == message


def test_a_message_that_is_not_json_cannot_be_sent():
    """The sender gets the error."""
    with pytest.raises(PydanticSerializationError):
        encode(Done(id="1", result={"x": object()}))


@pytest.mark.parametrize("line", [b"", b"{}", b'{"type": "nonsense"}', b"\xff"])
def test_a_line_that_is_not_a_message_is_refused(line):
    """No part of it is used."""
    with pytest.raises(ValidationError):
        decode(line)


@pytest.fixture
def channels() -> Iterator[tuple[Channel, Channel]]:
    left, right = map(Channel, socket.socketpair())
    yield left, right
    left.close()
    right.close()


def test_a_large_message_blocks_neither_side(channels):
    """5 MB are sent in parts while the other side reads."""
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


def test_a_closed_channel_is_detected_and_nothing_more_is_sent(channels):
    """The last messages still arrive."""
    left, right = channels
    left.send(ChildReady())
    left.close()
    assert right.receive() == [ChildReady()]
    assert right.closed
    right.send(Stop())
    assert not right.pending
