"""The payloads of the service's own queues and of pytest suites, and the context in which a job runs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Literal

from pydantic import Field

from qa_queue.models.values import EvidenceMode, Frozen, ScreenshotMode

PAYLOAD_VERSION: Literal[1] = 1
MAX_DELAY_S = 366 * 24 * 3600
MAX_ATTEMPTS = 25  # of a job, when the infrastructure fails
RUN_TIMEOUT_MS = 60_000  # of a case that gives none
DEFERRALS_FIELD = "qa_deferrals"  # of the job's hash: how often its test is to be tried again at the end
ATTEMPT_FIELD = "attempt"  # of the job's hash, beside RQ's own: attempts begun; RQ counts those left


class Viewport(Frozen):
    """The size of the page, in CSS pixels."""

    width: int = Field(default=1280, ge=1, le=10_000)
    height: int = Field(default=720, ge=1, le=10_000)


class TestConfig(Frozen):
    """Settings of a run; None takes the case's value, else the default."""

    __test__: ClassVar[bool] = False

    timeout: int | None = Field(default=None, ge=1, description="Of the run, in ms.")
    headless: bool = True
    viewport: Viewport | None = None
    adaptive_mode: bool = True
    max_adaptations: int = Field(default=5, ge=0)
    trace: EvidenceMode | None = None
    video: EvidenceMode | None = None
    har: EvidenceMode | None = None
    screenshots: ScreenshotMode | None = None
    update_screenshots: bool = Field(default=False, description="Renew the baselines of compared screenshots.")


class FailureLimit(Frozen):
    """No run of this batch begins once `most` of its runs have failed."""

    batch_id: str
    most: int = Field(ge=1)


class TestJobData(Frozen):
    """The payload of a `test-execution` job.

    `case` is the case as JSON, with secrets unresolved; without it the worker loads `test_case_id` from the
    store. `env` holds the values of the `${env.X}` that the case uses. `case_dir` is the folder of the case's file,
    against which the files of `upload` steps are resolved; workers on other machines need it at the same path.
    `source` is that file, and `step_lines` has the lines of the steps in it, as in `cases.locations`, for messages.
    `trusted` runs were submitted from a file by the operator: they may use secrets without named hosts. `seed` is
    that of generated values, None for a new one; `data_row` is the row of data, `{"name": ..., "values": {...}}`.
    With `allowed_hosts` the run reaches those hosts only, as the token of its user says.
    With a `failure_limit` it does not begin once its batch has failed as often.
    A `recorded` run has a row in the store; without the row its submission was withdrawn, and it does not run.
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
    source: str | None = None
    step_lines: dict[str, tuple[int | None, ...]] = Field(default_factory=dict)
    env: dict[str, str] = Field(default_factory=dict)
    trusted: bool = False
    recorded: bool = False
    seed: str | None = None
    data_row: dict[str, Any] | None = None
    allowed_hosts: tuple[str, ...] = ()
    failure_limit: FailureLimit | None = None


class CleanupJobData(Frozen):
    """The payload of a `cleanup` job; ages in days, None takes the setting."""

    version: Literal[1] = PAYLOAD_VERSION
    dry_run: bool = False
    keep_days: int | None = Field(default=None, ge=0)
    keep_failed_days: int | None = Field(default=None, ge=0)


class LearningJobData(Frozen):
    """The payload of an `adaptation-learning` job: learn from all runs of these cases; None means every case."""

    version: Literal[1] = PAYLOAD_VERSION
    test_case_ids: tuple[str, ...] | None = None


@dataclass(frozen=True, kw_only=True)
class JobContext:
    """A job as its queue has it; `attempt` counts from 1. `job_id` is the run's id for test runs.

    `requeues` is the number of times that it was requeued from the dead letters. `deferrals` is the number of times
    that its test failed and it went to the end of the queue, if its worker `can_defer` it. `execution` is the entry
    of this attempt in RQ's registry of running ones, empty without an entry.
    """

    job_id: str
    queue: str
    attempt: int = 1
    max_attempts: int = 1
    enqueued_at: datetime | None = None
    started_at: datetime | None = None
    worker: str = ""
    requeues: int = 0
    deferrals: int = 0
    can_defer: bool = False
    execution: str = ""

    @property
    def last_attempt(self) -> bool:
        """True when a failure of this attempt is final."""
        return self.attempt >= self.max_attempts


class RuntimeStatistics(Frozen):
    """Counts of a runtime since it was opened, and the bytes and files that wait in its outbox.

    `egress_refused` has the connections of runs that were refused, by rule.
    """

    browser_restarts: int = 0
    egress_refused: dict[str, int] = Field(default_factory=dict)
    outbox_bytes: int = 0
    outbox_segments: int = 0


class PytestSuite(Frozen):
    """A pytest suite as the worker starts it.

    `root` is the folder in which pytest is started, `python` the interpreter of the suite's environment (None is
    the worker's own), `arguments` what pytest gets besides the tests. With `bundle`, the SHA-256 of its files in
    the artifact store, `root` is a folder in them, and `requirements` a file in that folder.
    """

    root: str
    python: str | None = None
    arguments: tuple[str, ...] = ()
    bundle: str | None = None
    requirements: str | None = None
