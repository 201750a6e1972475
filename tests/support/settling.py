"""Runtimes for workers of the example's queue that go wrong where a test wants it."""

from __future__ import annotations

import asyncio
import os
from typing import ClassVar

from redis import Redis

from processors.runtime import Processor, Runtime
from qa_queue.errors import StoreUnavailableError
from qa_settlement.models import Settled, Settlement
from qa_settlement.processor import SettlementProcessor

FUNCTION = "qa_settlement.entry.settle"


class HeldAfterPosting(SettlementProcessor):
    """Has posted, says so, and never gets to its end at the first attempt: the test kills its process."""

    async def process(self, data: Settlement) -> Settled:
        settled = await super().process(data)
        if self.context.attempt == 1:
            with Redis.from_url(self.services.settings.redis_dsn) as redis:
                redis.set(f"posted:{self.context.job_id}", os.getpid())
            await asyncio.Event().wait()
        return settled


class LedgerAway(SettlementProcessor):
    """Cannot reach its ledger until the key `ledger:open` is there."""

    async def process(self, data: Settlement) -> Settled:
        with Redis.from_url(self.services.settings.redis_dsn) as redis:
            if not redis.exists("ledger:open"):
                raise StoreUnavailableError("the ledger does not answer")
        return await super().process(data)


class HeldRuntime(Runtime):
    processors: ClassVar[dict[str, Processor]] = {**Runtime.processors, FUNCTION: HeldAfterPosting}


class AwayRuntime(Runtime):
    processors: ClassVar[dict[str, Processor]] = {**Runtime.processors, FUNCTION: LedgerAway}
