"""Jobs that harm the process that runs them, beside the real ones."""

from __future__ import annotations

import asyncio
import ctypes
import os
from typing import Any, ClassVar

from processors.base import BaseJobProcessor
from processors.runtime import Runtime
from qa_queue.models import TestJobData, TestJobResult

_PIECE, _MOST_PIECES = 20 << 20, 150  # bytes each: 3 GiB in all


class _Poison(BaseJobProcessor[TestJobData, TestJobResult]):
    payload = TestJobData


class Exits(_Poison):
    """Ends the process."""

    async def process(self, data: TestJobData) -> TestJobResult:
        os._exit(3)


class Segfaults(_Poison):
    """Reads memory that is not mapped."""

    async def process(self, data: TestJobData) -> TestJobResult:
        ctypes.string_at(0)
        raise AssertionError("unreachable")


class Blocks(_Poison):
    """Blocks the event loop, so that it cannot be cancelled and its neighbours cannot continue."""

    async def process(self, data: TestJobData) -> TestJobResult:
        while True:
            pass


class Swallows(_Poison):
    """Ignores its cancellation."""

    async def process(self, data: TestJobData) -> TestJobResult:
        while True:
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                continue


class Eats(_Poison):
    """Allocates more and more memory, up to 3 GiB."""

    async def process(self, data: TestJobData) -> TestJobResult:
        pieces = []
        while len(pieces) < _MOST_PIECES:
            pieces.append(b"x" * _PIECE)
            await asyncio.sleep(0.05)
        await asyncio.sleep(3600)
        raise AssertionError("unreachable")


class Unserialisable(_Poison):
    """Returns a result that is not JSON."""

    async def run(self, payload: dict[str, Any]) -> dict[str, Any]:
        return {"thing": object()}

    async def process(self, data: TestJobData) -> TestJobResult:
        raise AssertionError("never called")


class PoisonRuntime(Runtime):
    """The real runtime with these jobs added."""

    processors: ClassVar = {
        **Runtime.processors,
        "poison.exits": Exits,
        "poison.segfaults": Segfaults,
        "poison.blocks": Blocks,
        "poison.eats": Eats,
        "poison.swallows": Swallows,
        "poison.unserialisable": Unserialisable,
    }
