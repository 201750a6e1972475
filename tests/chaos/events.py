"""The event log of a chaos run: one line of JSON for each event, from every process, on one monotonic clock."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

# What a client does: a run is acknowledged with its `id`, `priority` and whether it is `delayed`; a submission that
# raised is rejected; a request to cancel is asked for and answered with its `outcome`.
ACKNOWLEDGED, REJECTED, CANCEL = "acknowledged", "rejected", "cancel"
# What a worker does: an attempt is about to ask whether the run was cancelled; it begins under its token (its
# number, which no other execution of the run has).
ASK, BEGIN, END = "ask", "begin", "end"
# What the site sees: the request of a step begins and ends.
EFFECT, EFFECT_END = "effect", "effect end"
# What an observer sees: ids on the waiting list, in order; the first look at which a row had ended.
WAITING, ENDED = "waiting", "ended"
# What the program does: a fault, with `loses` if Redis may lose data by it.
FAULT = "fault"
# What is there at the end: the run's row and its job.
ROW, JOB = "row", "job"


@dataclass(frozen=True)
class Event:
    """One event: its time on the monotonic clock in s, its kind, the name of its run, and the attempt's token."""

    at: float
    kind: str
    run: str = ""
    token: int = 0
    fields: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))

    def __getitem__(self, name: str) -> Any:
        return self.fields[name]

    def __str__(self) -> str:
        fields = " ".join(f"{name}={value}" for name, value in self.fields.items())
        token = f" attempt {self.token}" if self.token else ""
        return f"{self.at:9.3f} {self.kind} {self.run}{token} {fields}".rstrip()


class EventLog:
    """A file to which any number of processes append events, each in one write."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def note(self, kind: str, run: str = "", token: int = 0, **fields: Any) -> None:
        """Append an event that happens now."""
        line = json.dumps({"at": time.monotonic(), "kind": kind, "run": run, "token": token, "fields": fields})
        os.write(self._file, f"{line}\n".encode())

    def read(self) -> list[Event]:
        """Return the events so far, in the order of their times."""
        return read_events(self.path.read_text(encoding="utf-8").splitlines())

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)


def read_events(lines: Iterable[str]) -> list[Event]:
    """Return the events of these lines, in the order of their times."""
    return sorted((Event(**json.loads(line)) for line in lines), key=lambda event: event.at)
