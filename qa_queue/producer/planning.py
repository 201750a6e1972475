"""The values of `${env.X}` that a case uses, and whether every reference in it stands for something.

From requests to rows and jobs. Pure: ids, time and the environment's values are arguments.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from urllib.parse import urlsplit

from qa_queue.cases.exporters.yaml import case_document
from qa_queue.cases.model import Case
from qa_queue.cases.values import check_references, references, resolve, scope_for
from qa_queue.errors import CaseError, InputError
from qa_queue.models import TestJobData
from qa_queue.producer.idempotency import IdempotencyClaim, claim_key
from qa_queue.producer.requests import RunRequest, Timed
from qa_queue.queues.jobs import JobSpec
from qa_queue.settings import read_variables
from qa_queue.store.mapping import sanitize
from qa_queue.store.records import CaseRecord, RunRecord, case_id, digest


def resolve_environments(requests: Sequence[RunRequest]) -> list[dict[str, str]]:
    """The environment of each request: the process's own values and, over them, those of the request.

    Only names that the case uses are in it.

    Raises:
        CaseError: references without a value, or to the service's own settings; has those of all requests.
    """
    environments: list[dict[str, str]] = []
    problems: list[str] = []
    used = {id(request.case): request.case for request in requests}
    names = {which: _variables(case) for which, case in used.items()}
    for request in requests:
        try:
            env = _environment(request, names[id(request.case)])
        except InputError as error:
            problems.append(f"{request.source or request.case.name}: {error}")
            continue
        problems += check_references(request.case, env.keys(), source=request.source or "")
        environments.append(env)
    if problems:
        unique = tuple(dict.fromkeys(problems))
        raise CaseError("\n".join(unique), unique)
    return environments


def _environment(request: RunRequest, names: frozenset[str]) -> dict[str, str]:
    given = {name: value for name, value in request.env.items() if name in names}
    own = read_variables(names)
    found = own | given if request.process_env else given
    return {name: str(sanitize(value)) for name, value in found.items()}


def _variables(case: Case) -> frozenset[str]:
    return frozenset(reference.name for reference in references(case) if reference.kind == "env")


@dataclass(frozen=True, kw_only=True)
class PlannedRun:
    """A request that was found good: its run's id, its case's row, and the values of its `${env.X}`."""

    run_id: str
    request: RunRequest
    case: CaseRecord
    env: dict[str, str]

    @property
    def job_id(self) -> str:
        """The id of its job, which is that of the run."""
        return self.run_id

    @cached_property
    def base_url(self) -> str | None:
        """Where the run goes, filled in: the request's word, else the case's."""
        case = self.request.case
        if self.request.base_url is not None or case.base_url is None:
            return self.request.base_url
        return resolve(case.base_url, scope_for(case, self.env))

    @cached_property
    def claim(self) -> IdempotencyClaim | None:
        """The idempotency claim of the run, if its request has a key."""
        key = self.request.idempotency_key
        if key is None:
            return None
        name = self.request.source or self.request.case.name
        return IdempotencyClaim(
            job_id=self.run_id, key=claim_key(key, self.case.id), digest=self._digest, label=name
        )

    @property
    def limit_keys(self) -> tuple[str, ...]:
        """What limits count it for: its site and its user."""
        host = urlsplit(self.base_url or "").hostname
        user = self.request.user_id
        keys = (f"site:{host}" if host else "", f"user:{user}" if user else "")
        return tuple(" ".join(key.split()) for key in keys if key)

    @property
    def _digest(self) -> str:
        """Of all that a run is asked to do; when it is to start is not part of it."""
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
            }
        )


def case_records(requests: Sequence[RunRequest]) -> list[CaseRecord]:
    """The row of each request's case; made once for a case that many of them share."""
    made: dict[tuple[int, str | None], CaseRecord] = {}
    for request in requests:
        which = id(request.case), request.source
        if which not in made:
            made[which] = case_record(request)
    return [made[id(request.case), request.source] for request in requests]


def case_record(request: RunRequest) -> CaseRecord:
    """The row of a request's case."""
    case, document = request.case, case_document(request.case)
    return CaseRecord(
        id=case_id(case.key),
        key=case.key,
        name=case.name,
        source=request.source,
        definition=document,
        content_hash=digest(document),
        tags=case.tags,
    )


def distinct_cases(plans: Sequence[PlannedRun]) -> list[CaseRecord]:
    """Each case once.

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
    places = " and ".join(case.source or "a case without a file" for case in (one, other))
    return (
        f"Two different cases are both called {one.key!r}: {places}. "
        "Give one of them another name, or an id of its own."
    )


def run_record(plan: PlannedRun, versions: Mapping[str, int], queued_at: datetime) -> RunRecord:
    """The row of a run; `versions` are those of the stored cases by id."""
    request = plan.request
    return RunRecord(
        id=plan.run_id,
        test_case_id=plan.case.id,
        case_version=versions[plan.case.id],
        job_id=plan.run_id,
        user_id=request.user_id,
        priority=int(request.priority),
        total_steps=len(request.case.steps),
        config=request.config.model_dump(mode="json"),
        base_url=plan.base_url,
        queued_at=queued_at,
        batch_id=request.batch_id,
    )


def due_at(request: Timed, now: datetime) -> datetime | None:
    """When a job is to start at the earliest; None is at once."""
    if request.delay_ms is not None:
        return now + timedelta(milliseconds=request.delay_ms)
    return request.run_at


def job_spec(plan: PlannedRun, now: datetime) -> JobSpec:
    """Return the job of a run that is submitted now; secrets stay unresolved in it."""
    request, claim = plan.request, plan.claim
    data = TestJobData(
        test_case_id=plan.case.id,
        test_run_id=plan.run_id,
        user_id=request.user_id,
        config=request.config,
        case=plan.case.definition,
        base_url=request.base_url,
        case_dir=str(Path(request.source).resolve().parent) if request.source else None,
        env=plan.env,
        trusted=request.process_env,
    )
    return JobSpec.of_run(
        data,
        name=request.case.name,
        priority=request.priority,
        timeout_ms=request.case.timeout_ms,
        retries=request.case.retries,
        attempts=request.attempts,
        backoff=request.backoff,
        due=due_at(request, now),
        limit_keys=plan.limit_keys,
        claim=claim.when_enqueued if claim else None,
    )
