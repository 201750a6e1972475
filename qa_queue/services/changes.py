"""Changes to the service, each recorded in the audit log: the only way in which API, pages and commands make one.

Runs are not among them, apart from cancelling them: the row of a run names its user. Methods raise what the parts
that they call raise; a change that is refused leaves no row.
"""

from __future__ import annotations

import getpass
import socket
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from datetime import timedelta
from typing import Any

from pydantic import BaseModel

from qa_queue.auth.audit import Change, masked
from qa_queue.auth.logins import login_link
from qa_queue.auth.tokens import Identity, Role, TokenInfo, TokenScope
from qa_queue.cases.model import Case
from qa_queue.errors import NotFoundError, QAError
from qa_queue.models import CleanupJobData, LearningJobData, QueueName
from qa_queue.producer import JobRequest, SubmittedJob
from qa_queue.queues.cancellation import CancelOutcome
from qa_queue.queues.dead_letters import RequeueReport
from qa_queue.queues.limits import LimitRule
from qa_queue.queues.retention import CleanKind
from qa_queue.schedules import ScheduleSpec
from qa_queue.services import adaptations, audit, cases
from qa_queue.services.backend import Backend
from qa_queue.store.audit import AuditKind
from qa_queue.store.ledger import UNFINISHED
from qa_queue.store.records import ArtifactRecord, CaseRecord, RunRecord
from qa_queue.store.schedule_records import ScheduleRecord

_PAGE = 500  # runs


def command_line() -> Identity:
    """Return the user of this process, who may use Redis and the store directly, as `cli:USER@HOST`."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = "somebody"
    return Identity(name=f"cli:{user}@{socket.gethostname()}", role=Role.ADMIN)


class Changes:
    """The changes that one caller makes."""

    def __init__(self, backend: Backend, by: Identity) -> None:
        self._backend = backend
        self._by = by

    def create_token(
        self, name: str, role: Role, lifetime: timedelta | None = None, scope: TokenScope | None = None
    ) -> tuple[TokenInfo, str]:
        """Create a token; see `TokenStore.create`."""
        with self._change(AuditKind.TOKEN_CREATE, f"token {name}") as change:
            info, text = self._backend.tokens.create(name, role, lifetime, scope)
            change.object, change.after = f"token {info.id}", audit.token_fields(info)
        return info, text

    def revoke_token(self, token_id: str) -> TokenInfo:
        """Revoke a token and return its description.

        Raises:
            NotFoundError: it does not exist.
        """
        info = next((one for one in self._backend.tokens.list_all() if one.id == token_id), None)
        before = audit.token_fields(info) if info else {}
        with self._change(AuditKind.TOKEN_REVOKE, f"token {token_id}", **before):
            if not self._backend.tokens.revoke(token_id) or info is None:
                raise NotFoundError(f"there is no token {token_id!r}: `qa-queue token list` lists the tokens.")
        return info

    def login_link(self) -> str:
        """Return a link that logs in one browser as administrator."""
        with self._change(AuditKind.LOGIN_LINK, "login as administrator"):
            return login_link(self._backend.redis, self._backend.settings.qa_web_port)

    def add_schedule(self, spec: ScheduleSpec) -> ScheduleRecord:
        """Store a new schedule; see `ScheduleRegistry.add`."""
        with self._change(AuditKind.SCHEDULE_CREATE, _schedule_name(spec.name)) as change:
            row = self._backend.schedules.add(spec, by=self._by)
            change.after = {"id": row.id, **audit.schedule_fields(row)}
        return row

    def replace_schedule(self, ref: str, spec: ScheduleSpec) -> ScheduleRecord:
        """Set every field of a schedule; see `ScheduleRegistry.replace`."""
        return self._change_schedule(
            AuditKind.SCHEDULE_CHANGE, ref, lambda: self._backend.schedules.replace(ref, spec, by=self._by)
        )

    def patch_schedule(self, ref: str, changes: Mapping[str, Any]) -> ScheduleRecord:
        """Set some fields of a schedule; see `ScheduleRegistry.patch`."""
        return self._change_schedule(
            AuditKind.SCHEDULE_CHANGE, ref, lambda: self._backend.schedules.patch(ref, changes, by=self._by)
        )

    def pause_schedule(self, ref: str) -> ScheduleRecord:
        """Pause a schedule; see `ScheduleRegistry.pause`."""
        return self._change_schedule(
            AuditKind.SCHEDULE_PAUSE, ref, lambda: self._backend.schedules.pause(ref, by=self._by)
        )

    def resume_schedule(self, ref: str) -> ScheduleRecord:
        """Resume a schedule; see `ScheduleRegistry.resume`."""
        return self._change_schedule(
            AuditKind.SCHEDULE_RESUME, ref, lambda: self._backend.schedules.resume(ref, by=self._by)
        )

    def run_schedule(self, ref: str) -> ScheduleRecord:
        """Start a schedule at once; see `ScheduleRunner.run_now`."""
        row = self._backend.schedules.get(ref)
        with self._change(AuditKind.SCHEDULE_RUN, _schedule_name(row.name)) as change:
            started = self._backend.schedule_runner.run_now(row, by=self._by)
            change.after = {"run": started.last_run_id, "batch": started.last_batch_id, "error": started.last_error}
        return started

    def remove_schedule(self, ref: str) -> ScheduleRecord | None:
        """Delete a schedule; see `ScheduleRegistry.remove`."""
        with self._change(AuditKind.SCHEDULE_DELETE, _schedule_name(ref)) as change:
            row = self._backend.schedules.remove(ref)
            if row is not None:
                change.object = _schedule_name(row.name)
                change.before = {"id": row.id, **audit.schedule_fields(row)}
        return row

    def create_case(self, case: Case) -> CaseRecord:
        """Store a new case; see `services.cases.create_case`."""
        return self._store_case(AuditKind.CASE_CREATE, None, lambda: cases.create_case(self._backend.store, case))

    def replace_case(self, old: CaseRecord, case: Case) -> CaseRecord:
        """Store the next version of a case; see `services.cases.replace_case`."""
        return self._store_case(
            AuditKind.CASE_REPLACE, old, lambda: cases.replace_case(self._backend.store, old, case)
        )

    def duplicate_case(self, record: CaseRecord, *, name: str, case_id: str | None) -> CaseRecord:
        """Store a copy of a case; see `services.cases.duplicate_case`."""
        return self._store_case(
            AuditKind.CASE_CREATE,
            None,
            lambda: cases.duplicate_case(self._backend.store, record, name=name, case_id=case_id),
        )

    def delete_case(self, case: CaseRecord) -> int:
        """Delete a case with its runs and return their number; see `services.cases.delete_case`."""
        with self._change(AuditKind.CASE_DELETE, _case_name(case), **audit.case_fields(case)) as change:
            runs = cases.delete_case(self._backend, case, by=self._by.name)
            change.after = {"deleted_runs": runs}
        return runs

    def accept_adaptation(
        self, adaptation_id: str, *, judge: str | None = None, write: bool = True
    ) -> adaptations.Judgement:
        """Accept an adaptation; see `services.adaptations.accept`."""
        return self._judge(
            AuditKind.ADAPTATION_ACCEPT,
            adaptation_id,
            lambda: adaptations.accept(self._backend.store, adaptation_id, by=judge or self._by.name, write=write),
        )

    def reject_adaptation(self, adaptation_id: str, *, judge: str | None = None) -> adaptations.Judgement:
        """Reject an adaptation; see `services.adaptations.reject`."""
        return self._judge(
            AuditKind.ADAPTATION_REJECT,
            adaptation_id,
            lambda: adaptations.reject(self._backend.store, adaptation_id, by=judge or self._by.name),
        )

    def requeue(self, job_id: str) -> None:
        """Requeue a dead letter; see `DeadLetters.requeue`."""
        with self._change(AuditKind.DEAD_LETTER_REQUEUE, f"job {job_id}"):
            self._backend.dead_letters.requeue(job_id)

    def requeue_all(self, queue: str | None = None) -> RequeueReport:
        """Requeue the present dead letters; see `DeadLetters.requeue_all`."""
        with self._change(AuditKind.DEAD_LETTER_REQUEUE, f"all of {queue or 'every queue'}") as change:
            report = self._backend.dead_letters.requeue_all(queue)
            change.after = {"requeued": len(report.requeued), "refused": len(report.refused)}
        return report

    def discard(self, job_id: str) -> None:
        """Discard a dead letter; see `DeadLetters.discard`."""
        with self._change(AuditKind.DEAD_LETTER_DISCARD, f"job {job_id}"):
            self._backend.dead_letters.discard(job_id)

    def pause_queue(self, queue: str) -> bool:
        """Pause a queue; False when it was paused already."""
        with self._change(AuditKind.QUEUE_PAUSE, f"queue {queue}") as change:
            changed = self._backend.queues.pause(queue)
            change.before, change.after = {"paused": not changed}, {"paused": True}
        return changed

    def resume_queue(self, queue: str) -> bool:
        """Resume a queue; False when it was not paused."""
        with self._change(AuditKind.QUEUE_RESUME, f"queue {queue}") as change:
            changed = self._backend.queues.resume(queue)
            change.before, change.after = {"paused": changed}, {"paused": False}
        return changed

    def clean_queue(self, queue: str, grace_ms: int, limit: int, kind: CleanKind) -> list[str]:
        """Delete ended jobs of a queue and return their ids; see `QueueManager.clean`."""
        with self._change(AuditKind.QUEUE_CLEAN, f"queue {queue}") as change:
            deleted = self._backend.queues.clean(queue, grace_ms, limit, kind)
            if kind == "failed" and deleted:
                with suppress(QAError):  # it needs Redis alone
                    self._backend.store.ledger.remove(deleted)  # or they are restored when Redis loses its data
            change.after = {"kind": kind, "grace_ms": grace_ms, "deleted": len(deleted)}
        return deleted

    def submit_job(self, queue: str, request: JobRequest) -> SubmittedJob:
        """Submit a job of any queue but that of runs; see `QueueProducer.submit`."""
        with self._change(AuditKind.JOB_SUBMIT, f"queue {queue}") as change:
            (job,) = self._backend.jobs.submit(queue, request)
            change.after = {"job": job.job_id, "created": job.created, "data": masked(_plain(request.data))}
        return job

    def submit_cleanup(self, data: CleanupJobData) -> str:
        """Submit a clean-up and return the id of its job."""
        with self._change(AuditKind.JOB_SUBMIT, f"queue {QueueName.CLEANUP.value}") as change:
            job_id = self._backend.producer.submit_cleanup(data)
            change.after = {"job": job_id, "data": masked(data.model_dump(mode="json"))}
        return job_id

    def submit_learning(self, data: LearningJobData) -> str:
        """Submit a learning job and return its id."""
        with self._change(AuditKind.JOB_SUBMIT, f"queue {QueueName.ADAPTATION_LEARNING.value}") as change:
            job_id = self._backend.producer.submit_learning(data)
            change.after = {"job": job_id}
        return job_id

    def set_limit(self, key: str, rule: LimitRule) -> str:
        """Set the limit of a site or a user and return its normalized key; see `Limits.put`."""
        before = self._backend.limits.rules().get(key)
        with self._change(AuditKind.LIMIT_SET, f"limit {key}", **audit.limit_fields(before)) as change:
            normal = self._backend.limits.put(key, rule)
            change.after = audit.limit_fields(rule)
        return normal

    def remove_limit(self, key: str) -> None:
        """Remove a limit.

        Raises:
            NotFoundError: it does not exist.
        """
        before = self._backend.limits.rules().get(key)
        with self._change(AuditKind.LIMIT_REMOVE, f"limit {key}", **audit.limit_fields(before)):
            if not self._backend.limits.remove(key):
                raise NotFoundError(f"there is no limit for {key!r}: `qa-queue limits list` lists the limits.")

    def cancel_runs(self, run_ids: Sequence[str]) -> dict[str, CancelOutcome]:
        """Cancel runs; see `Backend.cancel`."""
        with self._change(AuditKind.RUN_CANCEL, ", ".join(run_ids)) as change:
            outcomes = self._backend.cancel(run_ids, f"cancelled by {self._by.name}")
            change.after = {run_id: outcome.value for run_id, outcome in outcomes.items()}
        return outcomes

    def cancel_runs_of(self, user: str) -> dict[str, CancelOutcome]:
        """Cancel the unfinished runs of a user, delayed ones among them; see `Backend.cancel`."""
        outcomes: dict[str, CancelOutcome] = {}
        last: RunRecord | None = None
        with self._change(AuditKind.RUN_CANCEL, f"unfinished runs of {user}") as change:
            while page := self._backend.store.list_runs(user_id=user, statuses=UNFINISHED, limit=_PAGE, after=last):
                outcomes |= self._backend.cancel([run.id for run in page], f"cancelled by {self._by.name}")
                last = page[-1]
            change.after = {"runs": len(outcomes)}
        return outcomes

    def cancel_batch(self, batch_id: str) -> dict[str, CancelOutcome]:
        """Cancel the runs of a batch; see `Batches.cancel` and `Backend.require_whole_batch`."""
        self._backend.require_whole_batch(batch_id)
        with self._change(AuditKind.BATCH_CANCEL, f"batch {batch_id}") as change:
            outcomes = self._backend.batches.cancel(batch_id, f"cancelled by {self._by.name}")
            change.after = {"runs": len(outcomes)}
        return outcomes

    def pin_runs(self, run_ids: Sequence[str], *, pinned: bool) -> None:
        """Keep runs from the clean-up, or no longer; see `RetentionStore.pin`."""
        kind = AuditKind.RUN_PIN if pinned else AuditKind.RUN_UNPIN
        with self._change(kind, ", ".join(run_ids)):
            self._backend.store.retention.pin(run_ids, pinned=pinned)

    def pin_batch(self, batch_id: str, *, pinned: bool) -> list[str]:
        """Keep the runs of a batch from the clean-up, or no longer; return their ids. See `cancel_batch`."""
        self._backend.require_whole_batch(batch_id)
        run_ids = [run.id for run in self._backend.batches.runs(batch_id)]
        self.pin_runs(run_ids, pinned=pinned)
        return run_ids

    def link_file(self, artifact: ArtifactRecord, seconds: int) -> str:
        """Return a ticket for a file that needs no login."""
        with self._change(AuditKind.FILE_LINK, f"artifact {artifact.id}") as change:
            ticket = self._backend.file_links.create(artifact.test_run_id, artifact.id, seconds)
            change.after = {"run": artifact.test_run_id, "name": artifact.name, "seconds": seconds}
        return ticket

    def _change(self, kind: AuditKind, object_: str, **before: Any) -> AbstractContextManager[Change]:
        return self._backend.audit.change(self._by, kind, object_, **before)

    def _change_schedule(self, kind: AuditKind, ref: str, make: Callable[[], ScheduleRecord]) -> ScheduleRecord:
        before = self._backend.schedules.get(ref)
        with self._change(kind, _schedule_name(before.name)) as change:
            row = make()
            old, new = audit.schedule_fields(before), audit.schedule_fields(row)
            differing = [name for name in {**old, **new} if old.get(name) != new.get(name)]
            change.before = {name: old.get(name) for name in differing}
            change.after = {name: new.get(name) for name in differing}
        return row

    def _store_case(self, kind: AuditKind, old: CaseRecord | None, make: Callable[[], CaseRecord]) -> CaseRecord:
        with self._change(kind, _case_name(old) if old else "case", **audit.case_fields(old)) as change:
            stored = make()
            change.object, change.after = _case_name(stored), audit.case_fields(stored)
        return stored

    def _judge(
        self, kind: AuditKind, adaptation_id: str, judge: Callable[[], adaptations.Judgement]
    ) -> adaptations.Judgement:
        before = adaptations.get(self._backend.store, adaptation_id)
        with self._change(kind, f"adaptation {adaptation_id}", status=before.status) as change:
            judged = judge()
            version = judged.case.version if judged.case else None
            row = judged.adaptation
            change.after = {
                "status": row.status,
                "judged_by": row.judged_by,
                "case": row.test_case_id,
                "step": row.step_key,
                "case_version": version,
            }
        return judged


def _schedule_name(name: str) -> str:
    return f"schedule {name}"


def _case_name(case: CaseRecord) -> str:
    return f"case {case.name}"


def _plain(data: BaseModel | Mapping[str, Any]) -> Mapping[str, Any]:
    return data.model_dump(mode="json") if isinstance(data, BaseModel) else data
