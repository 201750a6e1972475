"""Runtimes for workers under test: small jobs that a test can hold, fail and kill."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, Self

from qa_queue.errors import BrowserCrashedError, InputError, QAError, RunCancelledError, StoreUnavailableError
from qa_queue.models import JobContext, RuntimeStatistics
from qa_queue.redis import RedisClient
from qa_queue.settings import Settings

PAUSE = 0.02
Job = Callable[["FakeRuntime", dict[str, Any], JobContext], Awaitable[dict[str, Any]]]


class FakeRuntime:
    """Performs the jobs below by the last part of their names, and notes each in Redis under `did:<job id>`."""

    def __init__(self, settings: Settings, queues: Sequence[str]) -> None:
        self.redis = RedisClient(settings, socket_timeout=5).connect()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self.redis.set("runtime:left", 1)
        self.redis.close()

    async def perform(self, function_name: str, data: dict[str, Any], context: JobContext) -> dict[str, Any]:
        self.redis.rpush(f"did:{context.job_id}", context.attempt)
        job = JOBS.get(function_name.removeprefix("jobs."))
        if job is None:
            raise InputError(f"no processor is called {function_name}")
        return await job(self, data, context)

    async def abandon(self, context: JobContext, error: QAError) -> None:
        """Note it, unless the key `store:full` is there."""
        if self.redis.exists("store:full"):
            raise StoreUnavailableError("the outbox is full")
        entry = {"job": context.job_id, "error": str(error), "kind": type(error).__name__}
        self.redis.rpush("abandoned", json.dumps(entry))

    async def release(self, context: JobContext) -> None:
        self.redis.rpush("released", context.job_id)

    async def find_result(self, context: JobContext) -> dict[str, Any] | None:
        """Return the value of the key `result:<job id>`."""
        found = self.redis.get(f"result:{context.job_id}")
        return json.loads(found) if found else None

    def obstacle(self) -> str | None:
        reason = self.redis.get("obstacle")
        return reason.decode() if reason else None

    def statistics(self) -> RuntimeStatistics:
        """Return the value of the key `vitals`, as a runtime with a browser and an outbox reports it."""
        return RuntimeStatistics(**json.loads(self.redis.get("vitals") or "{}"))

    async def until(self, key: str) -> None:
        while not self.redis.exists(key):  # noqa: ASYNC110 - the key is another process's
            await asyncio.sleep(PAUSE)


class NeverRuntime(FakeRuntime):
    """Cannot start, ever."""

    async def __aenter__(self) -> Self:
        raise InputError("SUPABASE_URL is not set")


class LateRuntime(FakeRuntime):
    """Cannot start until the key `store:up` is there."""

    async def __aenter__(self) -> Self:
        self.redis.incr("runtime:tries")
        if not self.redis.exists("store:up"):
            raise StoreUnavailableError("Supabase does not answer")
        return self


async def echo(runtime: FakeRuntime, data: dict[str, Any], context: JobContext) -> dict[str, Any]:
    return {"status": "completed", "data": data, "pid": os.getpid(), "attempt": context.attempt}


async def gate(runtime: FakeRuntime, data: dict[str, Any], context: JobContext) -> dict[str, Any]:
    """Runs until the key `open` is there."""
    runtime.redis.set(f"running:{context.job_id}", os.getpid())
    await runtime.until(data.get("key", "open"))
    return {"status": "completed", "attempt": context.attempt, "pid": os.getpid()}


async def outlast(runtime: FakeRuntime, data: dict[str, Any], context: JobContext) -> dict[str, Any]:
    """Runs until the file `data["file"]` is there, whether Redis is or not."""
    runtime.redis.set(f"running:{context.job_id}", os.getpid())
    while not Path(data["file"]).exists():  # noqa: ASYNC110 - the test makes the file
        await asyncio.sleep(PAUSE)
    return {"status": "completed", "attempt": context.attempt}


async def shaky(runtime: FakeRuntime, data: dict[str, Any], context: JobContext) -> dict[str, Any]:
    """The infrastructure fails until attempt `good`."""
    if context.attempt < data["good"]:
        raise BrowserCrashedError("the browser died")
    return {"status": "completed", "attempt": context.attempt}


async def killer(runtime: FakeRuntime, data: dict[str, Any], context: JobContext) -> dict[str, Any]:
    """Kills its process until attempt `good`."""
    if context.attempt < data["good"]:
        os.kill(os.getpid(), signal.SIGKILL)
    return {"status": "completed", "attempt": context.attempt}


async def stubborn(runtime: FakeRuntime, data: dict[str, Any], context: JobContext) -> dict[str, Any]:
    """Does not end when told to."""
    while True:
        try:
            await runtime.until("open")
        except asyncio.CancelledError:
            runtime.redis.set("ignored", 1)


async def refuses(runtime: FakeRuntime, data: dict[str, Any], context: JobContext) -> dict[str, Any]:
    raise InputError("the case has no steps")


async def buggy(runtime: FakeRuntime, data: dict[str, Any], context: JobContext) -> dict[str, Any]:
    raise ZeroDivisionError("oops")


async def cancelled(runtime: FakeRuntime, data: dict[str, Any], context: JobContext) -> dict[str, Any]:
    raise RunCancelledError("cancelled by anna")


async def no_json(runtime: FakeRuntime, data: dict[str, Any], context: JobContext) -> dict[str, Any]:
    return {"thing": object()}


JOBS: dict[str, Job] = {
    job.__name__: job for job in (echo, gate, outlast, shaky, killer, stubborn, refuses, buggy, cancelled, no_json)
}
