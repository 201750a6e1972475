"""The values that packages and processes exchange: states, payloads, results, progress, backoff. No I/O.

Field names follow the original system, in Python's spelling. Times are `datetime` in UTC; durations are whole
milliseconds and end in `_ms` unless the original named them otherwise.
"""

from qa_queue.models.payloads import (
    ATTEMPT_FIELD,
    DEFERRALS_FIELD,
    PAYLOAD_VERSION,
    CleanupJobData,
    FailureLimit,
    JobContext,
    LearningJobData,
    RuntimeStatistics,
    TestConfig,
    TestJobData,
    Viewport,
)
from qa_queue.models.results import (
    AdaptationRecord,
    CleanupJobResult,
    JobProgress,
    LearningJobResult,
    StepData,
    TestJobResult,
)
from qa_queue.models.values import (
    ArtifactKind,
    Backoff,
    ErrorKind,
    EvidenceMode,
    Frozen,
    Priority,
    QueueName,
    RetryStrategy,
    Role,
    RunStatus,
    ScreenshotMode,
    StepStatus,
    utc_now,
)

__all__ = [
    "ATTEMPT_FIELD",
    "DEFERRALS_FIELD",
    "PAYLOAD_VERSION",
    "AdaptationRecord",
    "ArtifactKind",
    "Backoff",
    "CleanupJobData",
    "CleanupJobResult",
    "ErrorKind",
    "EvidenceMode",
    "FailureLimit",
    "Frozen",
    "JobContext",
    "JobProgress",
    "LearningJobData",
    "LearningJobResult",
    "Priority",
    "QueueName",
    "RetryStrategy",
    "Role",
    "RunStatus",
    "RuntimeStatistics",
    "ScreenshotMode",
    "StepData",
    "StepStatus",
    "TestConfig",
    "TestJobData",
    "TestJobResult",
    "Viewport",
    "utc_now",
]
