"""The rows of the store as frozen values.

Ids are UUID texts. Ids of rows that may be written twice (a case of a name, a step of a run) are derived from what
they identify, so that the second write is the same row.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Literal
from uuid import UUID, uuid5

from pydantic import Field

from qa_queue.models import ArtifactKind, ErrorKind, Frozen, RunStatus, StepStatus
from qa_queue.models.outcomes import Outcome, label_of, step_outcome

MOST_RUNS = 10_000  # of a batch
_NAMESPACE = UUID("6f2d6d0e-5d0c-4f53-9c0d-6c9f1b1f7a10")


def case_id(key: str) -> str:
    """The id of the case with this key."""
    return str(uuid5(_NAMESPACE, f"case:{key}"))


def step_id(run_id: str, attempt: int, position: str | int) -> str:
    """The id of a step's row; `position` is the step's place, as `3` or `4[1].2`."""
    return str(uuid5(_NAMESPACE, f"step:{run_id}:{attempt}:{position}"))


def artifact_id(run_id: str, attempt: int, name: str) -> str:
    """The id of an artifact's row; `name` is the file's name, unique in an attempt."""
    return str(uuid5(_NAMESPACE, f"artifact:{run_id}:{attempt}:{name}"))


def adaptation_id(run_id: str, attempt: int, position: str | int) -> str:
    """The id of the adaptation of a step; `position` as in `step_id`."""
    return str(uuid5(_NAMESPACE, f"adaptation:{run_id}:{attempt}:{position}"))


def pattern_id(test_case_id: str, step_key: str, locator: dict[str, Any]) -> str:
    """The id of the row of one locator of one step."""
    return str(uuid5(_NAMESPACE, f"pattern:{test_case_id}:{step_key}:{digest(locator)}"))


def fingerprint_id(test_case_id: str, step_key: str) -> str:
    """The id of the fingerprint of a step's element."""
    return str(uuid5(_NAMESPACE, f"fingerprint:{test_case_id}:{step_key}"))


def verdict_id(test_case_id: str, step_key: str, locator: dict[str, Any]) -> str:
    """The id of the verdict on one locator of one step."""
    return str(uuid5(_NAMESPACE, f"verdict:{test_case_id}:{step_key}:{digest(locator)}"))


def digest(document: dict[str, Any]) -> str:
    """SHA-256 of a JSON document, independent of the order of its keys."""
    return hashlib.sha256(json.dumps(document, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


class CaseRecord(Frozen):
    """A row of `test_cases`. `definition` is the case document; `content_hash` its digest.

    `step_lines` has the lines of its steps in `source`, as in `cases.locations`; they do not belong to the content.
    """

    id: str
    key: str
    name: str
    source: str | None = None
    definition: dict[str, Any]
    step_lines: dict[str, tuple[int | None, ...]] = Field(default_factory=dict)
    content_hash: str
    version: int = 1
    tags: tuple[str, ...] = ()
    reliability_score: float | None = None
    flake_rate: float | None = None
    runs_learned: int = 0
    created_at: datetime | None = None
    updated_at: datetime | None = None


class RunRecord(Frozen):
    """A row of `test_runs`. Phases are in ms: waiting in the queue, starting the browser, running the steps.

    `total_steps` is 0 while the number of steps is unknown. `requeues` counts how often the run came back from the
    dead letters; the runs of a suite share a `batch_id`. `fence` is the latest execution of the job that wrote
    here, counted from 1. `seed` is that of the generated values; `data_row` is the row of data as
    `{"name": ..., "values": {...}}`; `notes` are sentences about what happened. No cleanup deletes a `pinned` run.
    `network` has the `requests` of all tries and the bytes `received` and `sent`; `trace_id` is the W3C trace of
    requests to the site.
    """

    id: str
    test_case_id: str
    case_version: int = 1
    job_id: str | None = None
    user_id: str | None = None
    status: RunStatus = RunStatus.QUEUED
    priority: int = 5
    attempt: int = 0
    flaky: bool = False
    total_steps: int = 0
    completed_steps: int = 0
    failed_steps: int = 0
    adapted_steps: int = 0
    error: str | None = None
    error_kind: ErrorKind | None = None
    config: dict[str, Any] = Field(default_factory=dict)
    base_url: str | None = None
    worker: str | None = None
    queued_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    waiting_ms: int | None = None
    starting_ms: int | None = None
    running_ms: int | None = None
    requeues: int = Field(default=0, ge=0)
    batch_id: str | None = None
    fence: int = Field(default=0, ge=0)
    seed: str | None = None
    data_row: dict[str, Any] | None = None
    notes: tuple[str, ...] = ()
    pinned: bool = False
    network: dict[str, int] | None = None
    trace_id: str | None = None

    @property
    def steps_done(self) -> int:
        """The number of steps that were executed; optional ones that failed count once the run has ended well."""
        return self.total_steps if self.status.good else self.completed_steps + self.failed_steps

    @property
    def label(self) -> str:
        """The status as people say it: `passed`, `flaky`, `skipped`, `timed out`."""
        return label_of(self.status, flaky=self.flaky, error=self.error)

    @property
    def known_total(self) -> int | str:
        """The number of steps for people, `?` while it is unknown."""
        return self.total_steps or "?"


def counts_by_label(runs: Iterable[RunRecord]) -> dict[str, int]:
    """Return the number of runs with each label, in the order of the statuses, the most frequent first."""
    found = Counter((run.status, run.label) for run in runs).most_common()
    return {label: number for status in RunStatus for (one, label), number in found if one is status}


class RunPlace(Frozen):
    """The place of a run in the order of all: by its time of queueing, then by its id."""

    queued_at: datetime
    id: str


class BatchRecord(Frozen):
    """A row of the view `test_batches`: the number of runs, in all and by status; `finished_at` once all ended."""

    id: str
    queued_at: datetime
    finished_at: datetime | None
    total: int
    flaky: int
    queued: int
    running: int
    completed: int
    adapted: int
    failed: int
    timed_out: int
    cancelled: int
    dead: int

    @property
    def counts(self) -> dict[RunStatus, int]:
        """The number of runs of every status."""
        return {status: getattr(self, status.value) for status in RunStatus}


class RowCounts(Frozen):
    """The number of rows of some runs."""

    runs: int = 0
    steps: int = 0
    artifacts: int = 0
    adaptations: int = 0


class StepRecord(Frozen):
    """A row of `test_steps`; `number` counts from 1, `attempt` from 1.

    `position` is the place in the tree of steps, as `3.2` or `4[1].1`, or None in rows of older versions. `parents`
    are the names of the blocks around it, outermost first. `source` is its place in its file, `checkout.yaml:14`.

    `locator` is the target (as JSON, without its fallbacks) that found the element; `matches` has, for a target
    with fallbacks, one `{"locator": ..., "count": n, "same": bool}` for each alternative: how many elements it
    matched and whether it was exactly the element that was used. `notes` are sentences about what happened.
    """

    id: str
    test_run_id: str
    attempt: int = Field(ge=1)
    number: int = Field(ge=1)
    position: str | None = None
    parents: tuple[str, ...] = ()
    source: str | None = None
    step_key: str
    action: str
    name: str
    target: dict[str, Any] | None = None
    status: StepStatus
    started_at: datetime
    duration_ms: int = Field(ge=0)
    error: str | None = None
    error_kind: ErrorKind | None = None
    locator: dict[str, Any] | None = None
    matches: list[dict[str, Any]] | None = None
    notes: tuple[str, ...] = ()

    @property
    def place(self) -> str:
        """Its position; rows of older versions have a number only."""
        return self.position or str(self.number)

    @property
    def outcome(self) -> Outcome:
        """Its outcome in reports and lists."""
        return step_outcome(self.status, self.error_kind)

    @property
    def title(self) -> str:
        """Its name after those of the blocks around it."""
        return " > ".join((*self.parents, self.name))


class ArtifactRecord(Frozen):
    """A row of `test_artifacts`; `path` is relative to the artifacts folder."""

    id: str
    test_run_id: str
    attempt: int = Field(ge=1)
    step_number: int | None = None
    kind: ArtifactKind
    name: str
    path: str
    content_type: str
    size_bytes: int = Field(ge=0)
    sha256: str
    created_at: datetime


class AdaptationRow(Frozen):
    """A row of `adaptations`: one step that found its element by another way, and what people said of it.

    `status` is `applied`, `proposed` (the step failed, somebody may accept it), `accepted` or `rejected`.
    `evidence` of a heal has `summary` (a line), `properties`, and the fingerprints `old` and `new`.
    """

    id: str
    test_run_id: str
    test_case_id: str
    attempt: int = Field(ge=1)
    step_number: int = Field(ge=1)
    step_key: str
    reason: str
    old_target: dict[str, Any]
    new_target: dict[str, Any]
    score: float | None = None
    margin: float | None = None
    runner_up: dict[str, Any] | None = None
    evidence: dict[str, Any] | None = None
    status: str = "applied"
    judged_by: str | None = None
    judged_at: datetime | None = None
    created_at: datetime


class PatternRecord(Frozen):
    """A row of `locator_patterns`: how one locator of one step of a case has done, counted from finished runs.

    `tried` runs looked, `matched` found exactly the element that was used, `confidence` is the Wilson lower
    bound of matched of tried at 95 %. A `learned` one was found by a heal, the others the case names.
    """

    id: str
    test_case_id: str
    step_key: str
    locator: dict[str, Any]
    tried: int = Field(ge=0)
    matched: int = Field(ge=0)
    confidence: float = Field(ge=0, le=1)
    last_seen_at: datetime | None = None
    learned: bool = False


class FingerprintRecord(Frozen):
    """A row of `fingerprints`: what the element of a step looked like when the step last passed on it.

    `target_hash` is the digest of the target as written, `content_hash` that of `document`, `page` the path of the
    page. `healed` has, once a run that was healed ended well, the `locator` of the heal and its `document`.
    """

    id: str
    test_case_id: str
    step_key: str
    target_hash: str
    content_hash: str
    document: dict[str, Any]
    page: str = ""
    healed: dict[str, Any] | None = None
    seen_at: datetime


class VerdictRecord(Frozen):
    """A row of `locator_verdicts`: what people said of a locator for a step. It outlives the run."""

    id: str
    test_case_id: str
    step_key: str
    locator: dict[str, Any]
    verdict: Literal["accepted", "rejected"]
    judged_by: str | None = None
    judged_at: datetime


class CaseKnowledge(Frozen):
    """All that is known of the elements of a case: one read, made when a run begins."""

    fingerprints: tuple[FingerprintRecord, ...] = ()
    patterns: tuple[PatternRecord, ...] = ()
    verdicts: tuple[VerdictRecord, ...] = ()
