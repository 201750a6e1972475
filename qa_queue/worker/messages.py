"""What the worker and its child process say to each other: one JSON object a line."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter

from qa_queue.models import Frozen, JobContext


class Kind(StrEnum):
    """What became of an attempt; decides whether another one makes sense."""

    INPUT = "input"  # the job cannot be done as given
    INFRASTRUCTURE = "infrastructure"  # a part under the run failed
    CANCELLED = "cancelled"  # somebody wanted it to end
    RETURNED = "returned"  # nobody's fault: the job goes back to its queue as it was
    TIMED_OUT = "timed_out"  # it used up the job's time and ended when told to
    BUG = "bug"  # anything else: an error of a processor


class Failure(Frozen):
    """Why an attempt did not end with a result; `detail` is the traceback or empty."""

    kind: Kind
    message: str
    detail: str = ""


class Start(Frozen):
    """To the child, first: what the worker serves. The URL may hold a password, so it travels in no argument."""

    type: Literal["start"] = "start"
    redis_url: str | None  # None: the one that the settings name
    queues: tuple[str, ...]


class Run(Frozen):
    """To the child: run a job. `id` is that of the execution."""

    type: Literal["run"] = "run"
    id: str
    function: str
    data: dict[str, Any]
    context: JobContext


class Cancel(Frozen):
    """To the child: end this run, and why."""

    type: Literal["cancel"] = "cancel"
    id: str
    failure: Failure


class Abandon(Frozen):
    """To the child: no attempt will follow; record how the run ended."""

    type: Literal["abandon"] = "abandon"
    id: str
    context: JobContext
    failure: Failure


class Release(Frozen):
    """To the child: the run waits again; record that. `context` is that of the attempt which is void."""

    type: Literal["release"] = "release"
    id: str
    context: JobContext


class Stop(Frozen):
    """To the child: finish what runs, then exit."""

    type: Literal["stop"] = "stop"


class Ready(Frozen):
    """From the child: the runtime stands."""

    type: Literal["ready"] = "ready"


class Broken(Frozen):
    """From the child: the runtime could not start; the child exits."""

    type: Literal["broken"] = "broken"
    failure: Failure


class Done(Frozen):
    """From the child: a job returned; `result` is JSON."""

    type: Literal["done"] = "done"
    id: str
    result: Any


class Failed(Frozen):
    """From the child: a job raised, or was cancelled."""

    type: Literal["failed"] = "failed"
    id: str
    failure: Failure


class Hold(Frozen):
    """From the child: why no more jobs should come, or that they may come again (None)."""

    type: Literal["hold"] = "hold"
    reason: str | None


class Vitals(Frozen):
    """From the child: browsers that died and were replaced since it started; what waits in the outbox."""

    type: Literal["vitals"] = "vitals"
    browser_restarts: int = 0
    outbox_bytes: int = 0
    outbox_segments: int = 0


class Noted(Frozen):
    """From the child: what was to be recorded (`Abandon`, `Release`) is, or could not be (`error`)."""

    type: Literal["noted"] = "noted"
    id: str
    error: str | None = None


ToChild = Start | Run | Cancel | Abandon | Release | Stop
ToParent = Ready | Broken | Done | Failed | Noted | Hold | Vitals
Message = ToChild | ToParent

_ANY: TypeAdapter[Message] = TypeAdapter(Annotated[Message, Field(discriminator="type")])


def encode(message: Message) -> bytes:
    """The message as one line.

    Raises:
        pydantic_core.PydanticSerializationError: a result holds what JSON cannot say.
    """
    return _ANY.dump_json(message) + b"\n"


def decode(line: bytes) -> Message:
    """The message of one line.

    Raises:
        pydantic.ValidationError: the line is no message.
    """
    return _ANY.validate_json(line)
