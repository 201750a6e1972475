"""What the entry point names: the queue, its jobs, and where its processor and its operations are."""

from pathlib import Path

from qa_queue.extensions import QueueSpec
from qa_queue.models.backoff import Backoff
from qa_settlement.models import Settlement

QUEUE = QueueSpec(
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
