"""The results that jobs return, and the progress that runs report. Durations are in ms."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from qa_queue.models.payloads import PAYLOAD_VERSION
from qa_queue.models.values import ErrorKind, Frozen, RunStatus, StepStatus


class StepData(Frozen):
    """The step of a progress report. `position` is its place, as `3` or `4[1].2`; `duration` is in ms."""

    action: str
    position: str | None = None
    status: StepStatus
    duration: int
    error: str | None = None


class JobProgress(Frozen):
    """A progress report of a run; `status` changes at the start and end of the run.

    `total_steps` and `percentage` (0..100) are None while the number of steps is unknown, as in a loop.
    """

    version: Literal[1] = PAYLOAD_VERSION
    test_run_id: str
    current_step: int = Field(ge=0)
    total_steps: int | None = Field(ge=0)
    percentage: int | None = Field(ge=0, le=100)
    message: str = ""
    status: RunStatus = RunStatus.RUNNING
    step_data: StepData | None = None


class AdaptationRecord(Frozen):
    """A step whose element was located by other means than its target's first entry.

    `old` and `new` are targets as JSON; `score` and `margin` are in 0..1, and None for a fallback that the case
    itself declares.
    """

    step_number: int
    reason: Literal["fallback", "learned", "healed"]
    old: dict[str, Any]
    new: dict[str, Any]
    score: float | None = None
    margin: float | None = None


class TestJobResult(Frozen):
    """The result of a `test-execution` job. `duration` is in ms; `failed`: the site or the case is wrong.

    `completed_steps` counts the steps that passed, adapted ones included.
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


class CleanupJobResult(Frozen):
    """The number of items that a `cleanup` job deleted or, in a dry run, would delete.

    `runs`, `steps`, `artifacts` and `adaptations` count rows; `files` and `bytes_freed` count what was on the disk;
    `orphans` counts artifact folders without a run. `run_ids` lists only the first of them.
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


class LearningJobResult(Frozen):
    """The number of items that an `adaptation-learning` job read and changed; `patterns` counts all known ones."""

    version: Literal[1] = PAYLOAD_VERSION
    cases: int = Field(default=0, ge=0)
    runs: int = Field(default=0, ge=0)
    patterns: int = Field(default=0, ge=0)
    patterns_changed: int = Field(default=0, ge=0)
    patterns_removed: int = Field(default=0, ge=0)
