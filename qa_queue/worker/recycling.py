"""When a browser and its child process have done enough. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from qa_queue.settings import Settings

MIB = 1 << 20
_HARD = 2  # times the memory at which it is renewed: what still runs in it does not end by itself


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a child process may reach before it is renewed; 0 is no limit. `memory` is in bytes, `age` in s."""

    runs: int
    age: float
    memory: int

    @classmethod
    def of(cls, settings: Settings) -> Limits:
        """The limits that are set."""
        return cls(
            runs=settings.queue_recycle_runs,
            age=settings.queue_recycle_minutes * 60,
            memory=settings.queue_recycle_mb * MIB,
        )


def reason_to_renew(limits: Limits, *, runs: int, age: float, memory: int | None) -> str | None:
    """Why a process with this behind it is to be renewed; None while it may go on. `memory` None is not known."""
    if limits.runs and runs >= limits.runs:
        return f"it has had {runs} runs"
    if limits.age and age >= limits.age:
        return f"it is {age / 60:.0f} min old"
    if limits.memory and memory is not None and memory >= limits.memory:
        return f"it holds {memory // MIB} MiB"
    return None


def too_big(limits: Limits, memory: int | None) -> bool:
    """Whether a process holds so much that it is ended with all that runs in it."""
    return bool(limits.memory) and memory is not None and memory >= _HARD * limits.memory
