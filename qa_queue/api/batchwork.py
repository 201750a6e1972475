"""Submitting batches, and making their runs again."""

from __future__ import annotations

from collections.abc import Sequence

from qa_queue.api.errors import FieldError, FieldErrorsError
from qa_queue.api.rerun import rerun_request
from qa_queue.api.schemas.batches import BatchSubmitted, RerunBatchBody
from qa_queue.api.submission import each, faults_of, submitted
from qa_queue.errors import InputError
from qa_queue.producer import RunRequest
from qa_queue.services import Backend
from qa_queue.store.records import RunRecord


def submit_batch(backend: Backend, requests: Sequence[RunRequest]) -> BatchSubmitted:
    """Submit runs as a batch: all of them, or none.

    Raises:
        InputError, InfrastructureError: as `JobProducer.submit`.
    """
    batch = backend.producer.submit_batch(requests)
    batch_id = batch.id
    if not any(run.created for run in batch.runs):
        first = backend.run(batch.runs[0].run_id)
        batch_id = first.batch_id or batch_id
    return BatchSubmitted(batch_id=batch_id, runs=[submitted(run) for run in batch.runs])


def rerun_batch(backend: Backend, batch_id: str, body: RerunBatchBody, user: str) -> BatchSubmitted:
    """Make runs of a batch again, as a new batch: all of those wanted, or none.

    Raises:
        NotFoundError: no run belongs to the batch.
        ConflictError: none is to be made again.
        FaultsError: at least one cannot be made again; every one is named by its run's id.
    """
    runs = backend.batches.worth_again(batch_id, only_failed=body.only_failed)

    def again(_: int, run: RunRecord) -> RunRequest:
        try:
            return rerun_request(backend, run, user, body.env)
        except InputError as error:  # the list of runs is not one that the client sent
            messages = [f"run {run.id}: {one.message}" for one in faults_of(error)]
            raise FieldErrorsError(str(error), [FieldError(message=message) for message in messages]) from None

    return submit_batch(backend, each(runs, again))
