"""The object that the entry point names: the queue, its payload, its processor and its API router."""

from pathlib import Path

from qa_queue import Backoff, ExtensionSpec
from qa_settlement.models import Settlement

QUEUE = ExtensionSpec(
    name="settlement",
    function="qa_settlement.entry.settle",
    payload=Settlement,
    processor="qa_settlement.processor:SettlementProcessor",
    router="qa_settlement.api:router",
    attempts=5,
    backoff=Backoff(kind="exponential", delay_ms=2000),
    timeout_s=60,
    migrations=Path(__file__).parent / "migrations",
)
