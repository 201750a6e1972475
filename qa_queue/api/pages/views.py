"""Data of the pages: values from Redis and the store, prepared for the templates."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from qa_queue.api import pagination as cursors
from qa_queue.api.artifacts import is_picture
from qa_queue.models import RunStatus
from qa_queue.monitoring.alerts import Alert, firing
from qa_queue.services import Backend
from qa_queue.store.records import ArtifactRecord, StepRecord

NEWEST = 50
FILTERS = {
    "all": None,
    "active": (RunStatus.QUEUED, RunStatus.RUNNING),
    "passed": (RunStatus.COMPLETED, RunStatus.ADAPTED),
    "failed": (RunStatus.FAILED, RunStatus.TIMED_OUT, RunStatus.DEAD),
    "cancelled": (RunStatus.CANCELLED,),
}


JUDGED = {
    "open": ("applied", "proposed"),
    "proposed": ("proposed",),
    "accepted": ("accepted",),
    "rejected": ("rejected",),
    "all": None,
}


def overview(backend: Backend, *, show: str = "all", cursor: str | None = None) -> dict[str, Any]:
    """The queues, and a page of runs of one filter, the newest first."""
    chosen = show if show in FILTERS else "all"
    found = backend.store.list_runs(
        statuses=FILTERS[chosen], after=cursors.decode(cursor) if cursor else None, limit=NEWEST + 1
    )
    runs, behind = cursors.paged(found, NEWEST)
    return {
        "alerts": [(alert, datetime.fromtimestamp(alert.firing_since or 0, UTC)) for alert in _firing(backend)],
        "queues": list(backend.queues.get_queue_stats().values()),
        "runs": runs,
        "names": backend.case_names(run.test_case_id for run in runs),
        "filters": list(FILTERS),
        "show": chosen,
        "first_page": cursor is None,
        "next": behind,
    }


def _firing(backend: Backend) -> tuple[Alert, ...]:
    return firing(backend.alerts.load())


def run(backend: Backend, run_id: str) -> dict[str, Any]:
    """One run with its steps, and the pictures of each beside it.

    Raises:
        NotFoundError: there is no run with this id.
    """
    found = backend.run(run_id)
    artifacts = backend.store.list_artifacts([found.id])
    steps = backend.store.list_steps([found.id])
    pictures = [one for one in artifacts if is_picture(one)]
    beside = {step.id: [one for one in pictures if _belongs(one, step)] for step in steps}
    shown = {one.id for ones in beside.values() for one in ones}
    return {
        "run": found,
        "name": backend.case_names([found.test_case_id])[found.test_case_id],
        "progress": None if found.status.final else backend.progress.latest([found.id]).get(found.id),
        "steps": steps,
        "several": len({step.attempt for step in steps}) > 1,
        "pictures_of": beside,
        "pictures": [one for one in pictures if one.id not in shown],
        "files": [one for one in artifacts if not is_picture(one)],
        "adaptations": {(a.attempt, a.step_number): a for a in backend.store.list_adaptations([found.id])},
    }


def adaptations(backend: Backend, *, show: str = "open") -> dict[str, Any]:
    """The newest adaptations of one filter; `open` are those that no one has judged."""
    chosen = show if show in JUDGED else "open"
    rows = backend.store.find_adaptations(statuses=JUDGED[chosen], limit=NEWEST)
    names = backend.case_names(row.test_case_id for row in rows)
    return {"rows": rows, "names": names, "filters": list(JUDGED), "show": chosen}


def _belongs(artifact: ArtifactRecord, step: StepRecord) -> bool:
    return artifact.attempt == step.attempt and artifact.step_number == step.number
