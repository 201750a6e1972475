"""From valid requests to rows and jobs. Pure: ids, times and environments are arguments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from urllib.parse import urlsplit

from qa_queue.cases.exporters.document import case_document
from qa_queue.cases.locations import step_lines
from qa_queue.cases.values import resolve, scope_for
from qa_queue.errors import CaseError
from qa_queue.models import FailureLimit, TestJobData
from qa_queue.producer.requests import RunRequest, Timed
from qa_queue.queues import JobSpec
from qa_queue.queues.claims import IdempotencyClaim, claim_key
from qa_queue.queues.jobs import run_timeout_s, spec_document
from qa_queue.store.ledger import LedgerEntry
from qa_queue.store.records import CaseRecord, RunRecord, case_id, digest


@dataclass(frozen=True, kw_only=True)
class PlannedRun:
    """A valid request with the id of its run, the row of its case, and the values of its `${env.X}`."""

    run_id: str
    request: RunRequest
    case: CaseRecord
    env: dict[str, str]

    @property
    def job_id(self) -> str:
        """The id of the run's job."""
        return self.run_id

    @cached_property
    def base_url(self) -> str | None:
        """The base URL with its references resolved: the request's, else the case's."""
        case = self.request.case
        if self.request.base_url is not None or case.base_url is None:
            return self.request.base_url
        row = (self.request.data_row or {}).get("values", {})
        run = {"id": self.run_id, "attempt": 1}
        return resolve(case.base_url, scope_for(case, self.env, data=row, run=run))

    @cached_property
    def claim(self) -> IdempotencyClaim | None:
        """The idempotency claim that the run needs, if its request has a key."""
        request = self.request
        if request.idempotency_key is None:
            return None
        key = claim_key(request.idempotency_key, self.case.id)
        return IdempotencyClaim(job_id=self.run_id, key=key, digest=self._digest, label=request.label)

    @property
    def limit_keys(self) -> tuple[str, ...]:
        """The limit keys of the run: its site, its user and its lock."""
        host = urlsplit(self.base_url or "").hostname
        user, lock = self.request.user_id, self.request.case.lock
        keys = (f"site:{host}" if host else "", f"user:{user}" if user else "", f"lock:{lock}" if lock else "")
        return tuple(" ".join(key.split()) for key in keys if key)

    @property
    def _digest(self) -> str:
        """Of the content of the run; its start time is not part of it."""
        request = self.request
        return digest(
            {
                "case": self.case.content_hash,
                "base_url": self.base_url,
                "env": self.env,
                "config": request.config.model_dump(mode="json"),
                "priority": int(request.priority),
                "user": request.user_id,
                "attempts": request.attempts,
                "backoff": request.backoff.model_dump(mode="json"),
                **({"row": request.data_row} if request.data_row else {}),
                **({"seed": request.seed} if request.seed else {}),
                **({"hosts": request.allowed_hosts} if request.allowed_hosts else {}),
            }
        )


def case_records(requests: Sequence[RunRequest]) -> list[CaseRecord]:
    """Return the row of each request's case, built once for a case that several requests share."""
    made: dict[tuple[int, str | None], CaseRecord] = {}
    for request in requests:
        key = id(request.case), request.source
        if key not in made:
            made[key] = case_record(request)
    return [made[id(request.case), request.source] for request in requests]


def case_record(request: RunRequest) -> CaseRecord:
    """Return the row of a request's case."""
    case, document = request.case, case_document(request.case)
    return CaseRecord(
        id=case_id(case.key),
        key=case.key,
        name=case.name,
        source=request.source,
        definition=document,
        step_lines=step_lines(case),
        content_hash=digest(document),
        tags=case.tags,
    )


def distinct_cases(plans: Sequence[PlannedRun]) -> list[CaseRecord]:
    """Return each case once.

    Raises:
        CaseError: different cases have the same key; has every clash.
    """
    first: dict[str, CaseRecord] = {}
    clashes: list[str] = []
    for plan in plans:
        known = first.setdefault(plan.case.id, plan.case)
        if known.content_hash != plan.case.content_hash:
            clashes.append(_clash(known, plan.case))
    if clashes:
        raise CaseError("\n".join(clashes), tuple(clashes))
    return list(first.values())


def _clash(one: CaseRecord, other: CaseRecord) -> str:
    sources = " and ".join(case.source or "a case without a file" for case in (one, other))
    return (
        f"Two different cases are both called {one.key!r}: {sources}. "
        "Give one of them another name, or an id of its own."
    )


def run_records(plans: Sequence[PlannedRun], versions: Mapping[str, int], queued_at: datetime) -> list[RunRecord]:
    """Return the rows of the runs of one submission; `versions` are those of the stored cases by id.

    Rows are listed by the time when they were queued: a microsecond lies between two runs, so that every list keeps
    the order of the submission.
    """
    return [
        _run_record(plan, versions[plan.case.id], queued_at + timedelta(microseconds=number))
        for number, plan in enumerate(plans)
    ]


def _run_record(plan: PlannedRun, version: int, queued_at: datetime) -> RunRecord:
    request = plan.request
    return RunRecord(
        id=plan.run_id,
        test_case_id=plan.case.id,
        case_version=version,
        job_id=plan.run_id,
        user_id=request.user_id,
        priority=int(request.priority),
        total_steps=request.case.known_total or 0,
        config=request.config.model_dump(mode="json"),
        base_url=plan.base_url,
        notes=request.case.notes,
        seed=request.seed,
        data_row=request.data_row,
        queued_at=queued_at,
        batch_id=request.batch_id,
    )


def run_spec(plan: PlannedRun, now: datetime, arrival_us: int | None = None) -> JobSpec:
    """Return the job of a run that is submitted now; secrets stay unresolved in it."""
    request, case = plan.request, plan.request.case
    return JobSpec(
        job_id=plan.run_id,
        data=TestJobData(
            test_case_id=plan.case.id,
            test_run_id=plan.run_id,
            user_id=request.user_id,
            config=request.config,
            case=plan.case.definition,
            base_url=request.base_url,
            case_dir=str(Path(request.source).resolve().parent) if request.source else None,
            source=request.source,
            step_lines=plan.case.step_lines,
            env=plan.env,
            trusted=request.process_env,
            recorded=True,
            seed=request.seed,
            data_row=request.data_row,
            allowed_hosts=request.allowed_hosts,
            failure_limit=_failure_limit(request),
        ),
        name=request.title,
        priority=request.priority,
        timeout_s=run_timeout_s(request.config.timeout or case.timeout_ms, case.retries, case.login_ms),
        attempts=request.attempts,
        backoff=request.backoff,
        due=due_at(request, now),
        limit_keys=plan.limit_keys,
        claim=plan.claim.for_enqueue if plan.claim else None,
        created_at=now,
        arrival_us=arrival_us,
    )


def _failure_limit(request: RunRequest) -> FailureLimit | None:
    if request.batch_id is None or request.max_failures is None:
        return None
    return FailureLimit(batch_id=request.batch_id, most=request.max_failures)


def ledger_entries(queue: str, specs: Sequence[JobSpec], now: datetime, *, instance: str) -> list[LedgerEntry]:
    """Return the ledger's entries of jobs that are submitted together now to this service (QA_INSTANCE)."""
    return [
        LedgerEntry(
            id=spec.job_id,
            queue=queue,
            last_id=specs[-1].job_id,
            position=position,
            spec=spec_document(spec),
            claim=spec.claim.key if spec.claim else None,
            instance=instance,
            submitted_at=now,
        )
        for position, spec in enumerate(specs)
    ]


def due_at(request: Timed, now: datetime) -> datetime | None:
    """Return the earliest start of a request; None is at once."""
    if request.delay_ms is not None:
        return now + timedelta(milliseconds=request.delay_ms)
    return request.run_at
