"""The values that travel between rooms: enums, job payloads, results, progress. No I/O.

Names of fields are those of the original system in Python's spelling. Times are `datetime` in UTC,
durations are whole milliseconds and end in `_ms` where the original did not name them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import IntEnum, StrEnum
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

PAYLOAD_VERSION: Literal[1] = 1


class Frozen(BaseModel):
    """A value: immutable, and an unknown field is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class QueueName(StrEnum):
    """The queues of the service, one processor each."""

    TEST_EXECUTION = "test-execution"
    CLEANUP = "cleanup"
    ADAPTATION_LEARNING = "adaptation-learning"


class Priority(IntEnum):
    """A larger number goes first."""

    LOW = 1
    NORMAL = 5
    HIGH = 10
    URGENT = 20


class Role(StrEnum):
    """Rights of a token or login; each role includes the ones before it."""

    READ = "read"  # look at runs, cases, queues and evidence
    RUN = "run"  # and submit, cancel and rerun runs, and store their cases
    ADMIN = "admin"  # and delete cases, change queues, use rq-dashboard

    def covers(self, wanted: Role) -> bool:
        """Return whether this role includes `wanted`."""
        order = list(Role)
        return order.index(self) >= order.index(wanted)


class RunStatus(StrEnum):
    """Where a run stands. `completed` means that every step passed as written."""

    QUEUED = "queued"
    RUNNING = "running"
    COMPLETED = "completed"
    ADAPTED = "adapted"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    CANCELLED = "cancelled"
    DEAD = "dead"  # the infrastructure failed on every attempt

    @property
    def final(self) -> bool:
        """Whether the run has ended."""
        return self not in (RunStatus.QUEUED, RunStatus.RUNNING)

    @property
    def good(self) -> bool:
        """Whether the run ended well."""
        return self in (RunStatus.COMPLETED, RunStatus.ADAPTED)

    @property
    def bad(self) -> bool:
        """Whether the run ended badly, and not because somebody cancelled it."""
        return self in (RunStatus.FAILED, RunStatus.TIMED_OUT, RunStatus.DEAD)


class StepStatus(StrEnum):
    """How a step ended."""

    PASSED = "passed"
    ADAPTED = "adapted"
    FAILED = "failed"
    SKIPPED = "skipped"


class ErrorKind(StrEnum):
    """What kind of failure a step or run met, for filters and for the reader's first glance."""

    NOT_FOUND = "not_found"
    AMBIGUOUS = "ambiguous"
    NOT_ACTIONABLE = "not_actionable"
    ASSERTION = "assertion"
    NAVIGATION = "navigation"
    PAGE_CRASH = "page_crash"
    TIMEOUT = "timeout"
    CANCELLED = "cancelled"
    INPUT = "input"
    INFRASTRUCTURE = "infrastructure"


class ArtifactKind(StrEnum):
    """What a run can leave behind."""

    SCREENSHOT = "screenshot"
    TRACE = "trace"
    CONSOLE = "console"
    VIDEO = "video"
    HAR = "har"
    REPORT = "report"


class TraceMode(StrEnum):
    """When a Playwright trace is recorded and kept."""

    OFF = "off"
    ON = "on"
    ON_FAILURE = "on-failure"
    ON_FIRST_RETRY = "on-first-retry"


class Viewport(Frozen):
    """The size of the page, in CSS pixels."""

    width: int = Field(default=1280, ge=1, le=10_000)
    height: int = Field(default=720, ge=1, le=10_000)


class TestConfig(Frozen):
    """How a run is to be executed; what is None is taken from the case, then from the defaults."""

    __test__: ClassVar[bool] = False

    timeout: int | None = Field(default=None, ge=1, description="Of the run, in ms.")
    headless: bool = True
    viewport: Viewport | None = None
    adaptive_mode: bool = True
    max_adaptations: int = Field(default=5, ge=0)
    trace: TraceMode | None = None
    screenshots: Literal["off", "on-failure", "every-step"] = "on-failure"


class TestJobData(Frozen):
    """The payload of a `test-execution` job.

    `case` is the case as JSON, with secrets unresolved; without it the worker loads `test_case_id` from the
    store. `env` holds the values of the `${env.X}` that the case uses. `case_dir` is the folder of the case's file,
    against which the files of `upload` steps are found; workers on other machines need it at the same place.
    """

    __test__: ClassVar[bool] = False

    version: Literal[1] = PAYLOAD_VERSION
    test_case_id: str
    test_run_id: str
    user_id: str | None = None
    config: TestConfig = Field(default_factory=TestConfig)
    case: dict[str, Any] | None = None
    base_url: str | None = None
    case_dir: str | None = None
    env: dict[str, str] = Field(default_factory=dict)


class AdaptationRecord(Frozen):
    """A step that found its element by another way than its target's first words.

    `old` and `new` are targets as JSON; `score` and `margin` are in 0..1 and None where a fallback of the
    case's own was used.
    """

    step_number: int
    reason: Literal["fallback", "learned", "healed"]
    old: dict[str, Any]
    new: dict[str, Any]
    score: float | None = None
    margin: float | None = None


class TestJobResult(Frozen):
    """What a `test-execution` job returns. `duration` is in ms; `failed` means the site or the case is wrong.

    `completed_steps` counts those that passed, adapted ones included.
    """

    __test__: ClassVar[bool] = False

    version: Literal[1] = PAYLOAD_VERSION
    test_run_id: str
    status: Literal["completed", "failed", "adapted"]
    total_steps: int = Field(ge=0)
    completed_steps: int = Field(ge=0)
    failed_steps: int = Field(ge=0)
    adapted_steps: int = Field(default=0, ge=0)
    duration: int = Field(ge=0)
    error: str | None = None
    error_kind: ErrorKind | None = None
    flaky: bool = False
    adaptations: tuple[AdaptationRecord, ...] = ()


class StepData(Frozen):
    """The step that a progress report speaks of. `duration` is in ms."""

    action: str
    status: StepStatus
    duration: int
    error: str | None = None


class JobProgress(Frozen):
    """One progress report of a run; `percentage` is 0..100. `status` is set on start and end of the run."""

    version: Literal[1] = PAYLOAD_VERSION
    test_run_id: str
    current_step: int = Field(ge=0)
    total_steps: int = Field(ge=0)
    percentage: int = Field(ge=0, le=100)
    message: str = ""
    status: RunStatus = RunStatus.RUNNING
    step_data: StepData | None = None


class CleanupJobData(Frozen):
    """The payload of a `cleanup` job; ages in days, None takes the setting."""

    version: Literal[1] = PAYLOAD_VERSION
    dry_run: bool = False
    keep_days: int | None = Field(default=None, ge=0)
    keep_failed_days: int | None = Field(default=None, ge=0)


class CleanupJobResult(Frozen):
    """What a `cleanup` job deleted, or, in a dry run, would delete.

    `runs`, `steps`, `artifacts` and `adaptations` count rows; `files` and `bytes_freed` are what lay on the disk;
    `orphans` counts folders of evidence whose run no longer existed. `run_ids` has the first of them only.
    """

    version: Literal[1] = PAYLOAD_VERSION
    dry_run: bool
    runs: int = Field(default=0, ge=0)
    steps: int = Field(default=0, ge=0)
    artifacts: int = Field(default=0, ge=0)
    adaptations: int = Field(default=0, ge=0)
    files: int = Field(default=0, ge=0)
    orphans: int = Field(default=0, ge=0)
    bytes_freed: int = Field(default=0, ge=0)
    run_ids: tuple[str, ...] = ()


class LearningJobData(Frozen):
    """The payload of an `adaptation-learning` job: learn from all runs of these cases, None means every case."""

    version: Literal[1] = PAYLOAD_VERSION
    test_case_ids: tuple[str, ...] | None = None


# The field of a job's hash in Redis, beside RQ's own, that counts the attempts begun; RQ counts what is left.
ATTEMPT_FIELD = "attempt"


@dataclass(frozen=True, kw_only=True)
class JobContext:
    """The job as the queue sees it; `attempt` counts from 1. `job_id` is the run's id for test runs."""

    job_id: str
    queue: str
    attempt: int = 1
    max_attempts: int = 1
    enqueued_at: datetime | None = None
    started_at: datetime | None = None
    worker: str = ""

    @property
    def last_attempt(self) -> bool:
        """Whether a failure now is final."""
        return self.attempt >= self.max_attempts


class LearningJobResult(Frozen):
    """What an `adaptation-learning` job read and what it changed; `patterns` is how many are known now."""

    version: Literal[1] = PAYLOAD_VERSION
    cases: int = Field(default=0, ge=0)
    runs: int = Field(default=0, ge=0)
    patterns: int = Field(default=0, ge=0)
    patterns_changed: int = Field(default=0, ge=0)
    patterns_removed: int = Field(default=0, ge=0)


def utc_now() -> datetime:
    """The present moment, aware, in UTC."""
    return datetime.now(UTC)
