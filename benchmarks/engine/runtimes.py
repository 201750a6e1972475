"""Runtimes of our worker's child in the benchmark, besides the real one."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Any, Self

from processors.runtime import Runtime
from qa_queue.models import JobContext, utc_now
from qa_queue.settings import Settings
from qa_queue.store.memory import MemoryStore
from qa_queue.store.protocol import RunStore
from qa_queue.store.records import CaseRecord, RunRecord, digest


class NoopRuntime:
    """Does what `benchmarks.noop` does, for our worker."""

    def __init__(self, settings: Settings, queues: Sequence[str]) -> None:
        del settings, queues

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        return None

    async def perform(self, function_name: str, data: dict[str, Any], context: JobContext) -> dict[str, Any]:
        del function_name, context
        return data

    def obstacle(self) -> str | None:
        return None


class MemoryRuntime(Runtime):
    """The real runtime on the store in memory, which gets the rows that a producer would have saved."""

    def open_store(self, stack: AsyncExitStack) -> RunStore:
        del stack
        self._rows = MemoryStore()
        return self._rows

    async def perform(self, function_name: str, data: dict[str, Any], context: JobContext) -> dict[str, Any]:
        document, case_id = data["case"], data["test_case_id"]
        case = CaseRecord(id=case_id, key="login", name="Login", definition=document, content_hash=digest(document))
        run = RunRecord(id=data["test_run_id"], test_case_id=case_id, queued_at=utc_now())
        self._rows.save([case, run])
        return await super().perform(function_name, data, context)
