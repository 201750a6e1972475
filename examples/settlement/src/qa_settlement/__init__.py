"""Settlements on a queue of qa-queue: enqueued once for a key, posted to a ledger exactly once."""

from qa_settlement.enqueue import enqueue_settlement
from qa_settlement.models import Money, Settled, Settlement

__all__ = ["Money", "Settled", "Settlement", "enqueue_settlement"]
