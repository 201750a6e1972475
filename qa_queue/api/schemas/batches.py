"""Models of batches."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, Field

from qa_queue.api.schemas.runs import Body, Submitted
from qa_queue.models import RunStatus
from qa_queue.models.outcomes import BatchVerdict

BATCH_ID = "7f1f6a52-3a10-4a57-9a3e-2f6f1f0e8f10"


class BatchSubmitted(BaseModel):
    """Runs that were submitted together, in the order given. A run that its idempotency key had made before stays
    in the batch that it was made with; where that is true of every run, `batch_id` is that one."""

    batch_id: str = Field(examples=[BATCH_ID])
    runs: list[Submitted]


class BatchItem(BaseModel):
    """A batch in a list: how many runs it has in all, how many ended, and how many there are of each status."""

    id: str = Field(examples=[BATCH_ID])
    verdict: BatchVerdict
    total: int
    ended: int
    counts: dict[RunStatus, int]
    flaky: int
    queued_at: datetime
    finished_at: datetime | None


class BatchDetail(BatchItem):
    """The state of a batch; `percentage` is 0 to 100, and running runs add their own."""

    percentage: int
    run_ids: list[str]


class BatchPage(BaseModel):
    """Batches, the newest first. `next` goes on behind the last one, and is null at the end."""

    batches: list[BatchItem]
    next: str | None = Field(default=None, description="The `cursor` of the next page.")


class BatchCancelled(BaseModel):
    """Result of a cancellation for each unfinished run: `removed` never starts, `signalled` is asked to stop."""

    batch_id: str
    outcomes: dict[str, str]


class RerunBatchBody(Body):
    """Selection of the runs to rerun; `env` is needed where their jobs are gone from Redis (24 h)."""

    only_failed: bool = Field(default=True, description="Leave out those that ended well or were cancelled.")
    env: dict[str, str] = Field(default_factory=dict)
