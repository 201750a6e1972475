"""Starts and ends of runs: each program appends a line for each run to the file that BENCH_MOMENTS names."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

VARIABLE = "BENCH_MOMENTS"


@dataclass(frozen=True)
class Span:
    """A number of runs, from the start of the first to the end of the last, in seconds of the wall clock."""

    runs: int
    first: float
    last: float

    @property
    def per_s(self) -> float:
        """Runs per second."""
        return self.runs / (self.last - self.first)


@contextmanager
def one_run() -> Iterator[None]:
    """Note when the block began and ended; a block that raised is not noted."""
    start = time.time()
    yield
    line = f"{start:.6f} {time.time():.6f}\n".encode()
    file = os.open(os.environ[VARIABLE], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(file, line)  # one write a line, so that processes do not mix theirs
    os.close(file)


def read_span(path: Path) -> Span:
    """The span of all runs that were noted in the file."""
    moments = [tuple(map(float, line.split())) for line in path.read_text().splitlines()]
    return Span(len(moments), min(one[0] for one in moments), max(one[1] for one in moments))
