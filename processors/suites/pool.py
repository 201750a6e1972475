"""Warm host processes: reused for the next test of a suite, renewed when that is no longer safe."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import os
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from weakref import WeakKeyDictionary

import psutil

from qa_queue.models.payloads import PytestSuite
from qa_queue.suites.bundle import BundleFolder
from qa_queue.suites.environment import files_digest
from qa_queue.suites.process import HostProcess
from qa_queue.suites.reads import unchanged

MAX_RUNS = 500  # tests of one host
WATCH_S = 0.5  # between two looks at the memory of a host
MAX_IDLE = 4  # hosts that wait for a next test, over all suites
_LISTS_CHILDREN = Path(f"/proc/self/task/{os.getpid()}/children").exists()
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Key:
    """Hosts of one key are interchangeable."""

    suite: PytestSuite
    environment: tuple[tuple[str, str], ...]
    digest: str


class HostPool:
    """The host processes of one worker. A host is renewed once it holds `memory_bytes`, its browsers included."""

    def __init__(self, *, memory_bytes: int, bundles: BundleFolder | None = None) -> None:
        self._memory = memory_bytes
        self._bundles = bundles
        self._idle: list[tuple[_Key, HostProcess]] = []
        self._looked_at: WeakKeyDictionary[HostProcess, float] = WeakKeyDictionary()  # at their memory, when

    @asynccontextmanager
    async def host(self, suite: PytestSuite, environment: Mapping[str, str]) -> AsyncIterator[HostProcess]:
        """Lend a host of this suite, warm if there is one. It is killed if the block raises or is cancelled.

        Raises:
            InputError: the suite cannot be started or collected.
            ArtifactStoreError: its bundle cannot be fetched now.
        """
        if self._bundles:
            suite = await asyncio.to_thread(self._bundles.unpacked, suite)
        digest = await asyncio.to_thread(files_digest, Path(suite.root))
        key = _Key(suite, tuple(sorted(environment.items())), digest)
        process = await self._take(key)
        watch = asyncio.create_task(self._watch(process))
        try:
            yield process
        except BaseException:
            await process.kill()
            raise
        finally:
            watch.cancel()
        await self._give_back(key, process)

    async def close(self) -> None:
        """End every idle host."""
        idle, self._idle = self._idle, []
        await asyncio.gather(*(process.stop() for _, process in idle))

    def memory_of(self, process: HostProcess) -> int:
        """Return the resident memory of a host and all its descendants, in bytes."""
        return sum(map(_resident, _family(process.pid)))

    async def _watch(self, process: HostProcess) -> None:
        """Kill a process as soon as it holds more than twice the memory at which it is renewed."""
        while process.alive:
            await asyncio.sleep(WATCH_S)
            if await asyncio.to_thread(self.memory_of, process) > 2 * self._memory:
                await process.kill(f"was ended at {2 * self._memory >> 20} MiB of memory (QA_SUITE_MEMORY_MB)")

    async def _has_grown(self, process: HostProcess) -> bool:
        """Return True if a process holds the memory at which it is renewed; after short tests, not each time."""
        now = time.monotonic()
        if now - self._looked_at.get(process, -math.inf) < WATCH_S:
            return False
        self._looked_at[process] = now
        return await asyncio.to_thread(self.memory_of, process) > self._memory

    async def _take(self, key: _Key) -> HostProcess:
        outdated = [pair for pair in self._idle if pair[0].suite == key.suite and _is_outdated(pair, key.digest)]
        self._idle = [pair for pair in self._idle if pair not in outdated]
        await asyncio.gather(*(process.stop() for _, process in outdated))
        for pair in reversed(self._idle):
            if pair[0] == key and pair[1].alive:
                self._idle.remove(pair)
                return pair[1]
        process = await HostProcess.start(key.suite, dict(key.environment))
        try:
            await process.ready()
        except BaseException:
            await process.kill()
            raise
        return process

    async def _give_back(self, key: _Key, process: HostProcess) -> None:
        if not process.alive or process.runs >= MAX_RUNS or await self._has_grown(process):
            await process.stop()
            return
        self._idle.append((key, process))
        if len(self._idle) > MAX_IDLE:
            _, oldest = self._idle.pop(0)
            await oldest.stop()


def _is_outdated(pair: tuple[_Key, HostProcess], digest: str) -> bool:
    """Return True if the suite's files, or modules that the host imported from elsewhere, have changed."""
    key, process = pair
    return key.digest != digest or not unchanged(process.outside)


def _family(pid: int) -> list[int]:
    """Return a process and its descendants; where Linux lists children, without a look at every other process."""
    found = [pid]
    if not _LISTS_CHILDREN:
        with contextlib.suppress(psutil.Error):
            found += (child.pid for child in psutil.Process(pid).children(recursive=True))
        return found
    for one in found:  # which grows meanwhile
        with contextlib.suppress(OSError):  # it has just ended
            for children in Path(f"/proc/{one}/task").glob("*/children"):
                found += map(int, children.read_text().split())
    return found


def _resident(pid: int) -> int:
    try:
        return int(psutil.Process(pid).memory_info().rss)
    except psutil.Error:
        return 0
