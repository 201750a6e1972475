"""Data of the pages: values from Redis and the store, prepared for the templates."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from qa_queue.api import pagination
from qa_queue.api.artifacts import is_picture
from qa_queue.auth.tokens import Identity
from qa_queue.models import QueueName, RunStatus
from qa_queue.monitoring.alerts import firing
from qa_queue.schedules.display import local_time, timing_text, work_text
from qa_queue.schedules.spec import role_to_start
from qa_queue.services import Backend
from qa_queue.services.audit import read_audit
from qa_queue.services.schedules import with_outcomes
from qa_queue.store.audit import AuditFilter, AuditKind
from qa_queue.store.records import ArtifactRecord, StepRecord, counts_by_label

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
VERDICT_COLOURS = {"passed": "passed", "flaky": "flaky", "failed": "failed", "broken": "dead", "running": "running"}


def overview(backend: Backend, caller: Identity, *, show: str = "all", cursor: str | None = None) -> dict[str, Any]:
    """Return the queues, and a page of the runs of one filter, newest first, and the alerts."""
    chosen = show if show in FILTERS else "all"
    found = backend.store.list_runs(
        statuses=FILTERS[chosen], after=pagination.decode(cursor) if cursor else None, limit=NEWEST + 1
    )
    runs, following = pagination.paged(found, NEWEST)
    alerts = [] if caller.stored_only else firing(backend.alerts.load())
    return {
        "alerts": [(alert, datetime.fromtimestamp(alert.firing_since or 0, UTC)) for alert in alerts],
        "queues": list(backend.queues.get_queue_stats().values()),
        "runs": runs,
        "names": backend.case_names(run.test_case_id for run in runs),
        "filters": list(FILTERS),
        "show": chosen,
        "first_page": cursor is None,
        "next": following,
    }


def run(backend: Backend, run_id: str) -> dict[str, Any]:
    """Return a run with its steps, and the pictures of each step.

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
    """Return the newest adaptations of one filter; `open` are those without a judgement."""
    chosen = show if show in JUDGED else "open"
    rows = backend.store.find_adaptations(statuses=JUDGED[chosen], limit=NEWEST)
    names = backend.case_names(row.test_case_id for row in rows)
    return {"rows": rows, "names": names, "filters": list(JUDGED), "show": chosen}


def batches(backend: Backend, *, cursor: str | None = None) -> dict[str, Any]:
    """Return a page of batches, the newest first."""
    found = backend.batches.newest(limit=NEWEST + 1, after=pagination.decode(cursor) if cursor else None)
    page, following = pagination.paged(found, NEWEST)
    return {"batches": page, "colours": VERDICT_COLOURS, "first_page": cursor is None, "next": following}


def batch(backend: Backend, batch_id: str) -> dict[str, Any]:
    """Return a batch with its runs.

    Raises:
        NotFoundError: there is no batch with this id.
    """
    runs = backend.batches.runs(batch_id)
    return {
        "batch": backend.batches.view(batch_id),
        "runs": runs,
        "labels": counts_by_label(runs),
        "names": backend.case_names(run.test_case_id for run in runs),
        "colours": VERDICT_COLOURS,
        "any_bad": any(run.status.bad for run in runs),
        "pinned": all(run.pinned for run in runs),
    }


def audit(backend: Backend, *, actor: str = "", kind: str = "", cursor: str | None = None) -> dict[str, Any]:
    """Return a page of changes to the service by one actor and of one kind, or of all, the newest first."""
    kinds = [AuditKind(kind)] if kind in list(AuditKind) else None
    after = pagination.decode(cursor) if cursor else None
    wanted = AuditFilter(actor=actor or None, kinds=kinds, limit=NEWEST + 1, after=after)
    found = read_audit(backend, wanted)
    return {
        "rows": found[:NEWEST],
        "kinds": [one.value for one in AuditKind],
        "kind": kinds[0].value if kinds else "",
        "actor": actor,
        "first_page": cursor is None,
        "next": pagination.encode(found[NEWEST - 1].place) if len(found) > NEWEST else None,
    }


def schedules(backend: Backend, caller: Identity) -> dict[str, Any]:
    """Return the schedules by name, with their next times and last outcomes."""
    rows = with_outcomes(backend, backend.schedules.list_all())
    return {
        "rows": [
            {
                "row": row,
                "when": timing_text(row),
                "what": work_text(row),
                "next": local_time(row, row.next_run_at) if row.next_run_at else None,
                "last": local_time(row, row.last_fire_at) if row.last_fire_at else None,
                "outcome": row.last_outcome,
                "may_change": caller.role.covers(role_to_start(row.queue)),
                "run": row.last_run_id if row.queue == QueueName.TEST_EXECUTION else None,
            }
            for row in rows
        ]
    }


def _belongs(artifact: ArtifactRecord, step: StepRecord) -> bool:
    return artifact.attempt == step.attempt and artifact.step_number == step.number
