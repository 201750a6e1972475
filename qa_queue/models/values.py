"""The base of all values, the present moment, the words for states and kinds, and the delays between attempts."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import IntEnum, StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

BASE_MS = 2000
CAP_MS = 300_000
LONGEST_MS = 24 * 3600 * 1000


class Frozen(BaseModel):
    """An immutable value; an unknown field is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def utc_now() -> datetime:
    """Return the present moment, aware, in UTC."""
    return datetime.now(UTC)


class QueueName(StrEnum):
    """The service's own queues, one processor each."""

    TEST_EXECUTION = "test-execution"
    CLEANUP = "cleanup"
    ADAPTATION_LEARNING = "adaptation-learning"


class Priority(IntEnum):
    """The urgency of a job: a larger number runs first."""

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
    """The state of a run. `completed`: every step passed as written."""

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
        """True once the run has ended."""
        return self not in (RunStatus.QUEUED, RunStatus.RUNNING)

    @property
    def good(self) -> bool:
        """True for a run that passed, as written or adapted."""
        return self in (RunStatus.COMPLETED, RunStatus.ADAPTED)

    @property
    def bad(self) -> bool:
        """True for a run that ended with a failure, and worth a rerun; a cancelled run is neither good nor bad."""
        return self in (RunStatus.FAILED, RunStatus.TIMED_OUT, RunStatus.DEAD)


class StepStatus(StrEnum):
    """The outcome of a step."""

    PASSED = "passed"
    ADAPTED = "adapted"
    FAILED = "failed"
    SKIPPED = "skipped"


class ErrorKind(StrEnum):
    """The kind of failure of a step or run, to filter by."""

    NOT_FOUND = "not_found"
    AMBIGUOUS = "ambiguous"
    NOT_ACTIONABLE = "not_actionable"
    ASSERTION = "assertion"
    NAVIGATION = "navigation"
    PAGE_CRASH = "page_crash"
    PAGE_FLOOD = "page_flood"
    FIXTURE = "fixture"  # setup or teardown of a pytest test
    PROCESS_CRASH = "process_crash"  # a pytest test ended its process
    TIMEOUT = "timeout"
    CANCELLED = "cancelled"
    INPUT = "input"
    INFRASTRUCTURE = "infrastructure"


class ArtifactKind(StrEnum):
    """The kinds of files that a run can record."""

    SCREENSHOT = "screenshot"
    TRACE = "trace"
    CONSOLE = "console"
    VIDEO = "video"
    HAR = "har"
    REPORT = "report"
    DOWNLOAD = "download"


class ScreenshotMode(StrEnum):
    """Choice of the pictures that are kept: the modes of other evidence, or a picture after every step."""

    OFF = "off"
    ON = "on"
    ON_FAILURE = "on-failure"
    ON_FIRST_RETRY = "on-first-retry"
    ON_FAILURE_AND_RETRIES = "on-failure-and-retries"
    EVERY_STEP = "every-step"


class RetryStrategy(StrEnum):
    """Choice of when a failed test is tried again."""

    IMMEDIATE = "immediate"
    ISOLATED = "isolated"  # after everything that waits in the queue, and alone in its worker


class EvidenceMode(StrEnum):
    """Choice of the tries whose trace, video, HAR or screenshots are kept."""

    OFF = "off"
    ON = "on"
    ON_FAILURE = "on-failure"
    ON_FIRST_RETRY = "on-first-retry"
    ON_FAILURE_AND_RETRIES = "on-failure-and-retries"  # so also the try that passed after a failure


class Backoff(Frozen):
    """The delays between a job's attempts: `exponential` doubles from `delay_ms` with jitter, `fixed` repeats it.

    RQ stores delays in whole seconds, so shorter delays take 1 s.
    """

    kind: Literal["exponential", "fixed"] = "exponential"
    delay_ms: int = Field(default=BASE_MS, ge=0, le=LONGEST_MS)

    def wait_ms(self, attempt: int, *, jitter: float) -> int:
        """Return the delay in ms after attempt number `attempt`; `jitter` in 0..1."""
        if self.kind == "fixed":
            return self.delay_ms
        cap_ms = max(CAP_MS, self.delay_ms)
        return exponential(attempt, jitter=jitter, base_ms=self.delay_ms, cap_ms=cap_ms)


EXPONENTIAL = Backoff()


def exponential(attempt: int, *, jitter: float, base_ms: int = BASE_MS, cap_ms: int = CAP_MS) -> int:
    """Return the delay in ms after attempt number `attempt` (1 is the first).

    It doubles from `base_ms` up to `cap_ms`; `jitter` in 0..1 removes up to half of it, so that jobs which failed
    together do not retry together ("equal jitter", Brooker 2015, AWS Architecture Blog).
    """
    full: int = min(cap_ms, base_ms << min(attempt - 1, 30))
    return round(full / 2 + full / 2 * jitter)


def schedule(attempts: int, *, jitters: tuple[float, ...], backoff: Backoff = EXPONENTIAL) -> list[int]:
    """Return the delays between `attempts` attempts for `rq.Retry(interval=...)`: whole seconds, at least 1."""
    return [
        max(1, round(backoff.wait_ms(n, jitter=j) / 1000)) for n, j in zip(range(1, attempts), jitters, strict=True)
    ]
