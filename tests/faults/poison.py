"""Jobs that harm the process that runs them, beside the real ones."""

from __future__ import annotations

import asyncio
import ctypes
import os
from typing import Any, ClassVar

from processors.base import BaseJobProcessor
from processors.runtime import Runtime
from qa_queue.models import TestJobData, TestJobResult

_BITE, _MOST_EATEN = 20 << 20, 150  # bytes, and bites: 3 GiB


class _Poison(BaseJobProcessor[TestJobData, TestJobResult]):
    payload = TestJobData


class Exits(_Poison):
    """Ends the process."""

    async def process(self, data: TestJobData) -> TestJobResult:
        os._exit(3)


class Segfaults(_Poison):
    """Reads what is not there."""

    async def process(self, data: TestJobData) -> TestJobResult:
        ctypes.string_at(0)
        raise AssertionError("unreachable")


class Blocks(_Poison):
    """Never gives the event loop back, so it can neither be told to end nor its neighbours go on."""

    async def process(self, data: TestJobData) -> TestJobResult:
        while True:
            pass


class Swallows(_Poison):
    """Does not end when told."""

    async def process(self, data: TestJobData) -> TestJobResult:
        while True:
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                continue


class Eats(_Poison):
    """Takes more and more memory, up to what a machine can spare."""

    async def process(self, data: TestJobData) -> TestJobResult:
        eaten = []
        while len(eaten) < _MOST_EATEN:
            eaten.append(b"x" * _BITE)
            await asyncio.sleep(0.05)
        await asyncio.sleep(3600)
        raise AssertionError("unreachable")


class Unserialisable(_Poison):
    """Returns what JSON cannot say."""

    async def run(self, payload: dict[str, Any]) -> dict[str, Any]:
        return {"thing": object()}

    async def process(self, data: TestJobData) -> TestJobResult:
        raise AssertionError("never called")


class PoisonRuntime(Runtime):
    """The real runtime with the poison besides."""

    processors: ClassVar = {
        **Runtime.processors,
        "poison.exits": Exits,
        "poison.segfaults": Segfaults,
        "poison.blocks": Blocks,
        "poison.eats": Eats,
        "poison.swallows": Swallows,
        "poison.unserialisable": Unserialisable,
    }
