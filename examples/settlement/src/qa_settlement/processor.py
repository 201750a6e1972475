"""The processor of the queue: it posts settlements to the ledger."""

from __future__ import annotations

import asyncio
from contextlib import AbstractContextManager
from typing import ClassVar

from pydantic import BaseModel

from processors import BaseJobProcessor
from qa_settlement.ledger import Ledger, SupabaseLedger
from qa_settlement.models import Settled, Settlement


class SettlementProcessor(BaseJobProcessor[Settlement, Settled]):
    """Post a settlement exactly once: a job that runs again after a crash finds its entry and posts no other."""

    payload: ClassVar[type[BaseModel]] = Settlement

    async def process(self, data: Settlement) -> Settled:
        """Post it in a thread, so that the event loop is not blocked."""
        return await asyncio.to_thread(self._post, data)

    def open_ledger(self) -> AbstractContextManager[Ledger]:
        """Return the ledger of this job."""
        return SupabaseLedger.opened(self.services.settings)

    def _post(self, settlement: Settlement) -> Settled:
        with self.open_ledger() as ledger:
            return ledger.post(settlement, self.context.job_id)
