"""qa-queue: self-hosted browser tests on RQ.

The names in `__all__` are the public API for programs that submit work and for packages that add queues; everything
else is private. Each is imported when it is first used, so that `import qa_queue` is fast and so that only users
of the names for API routers need the extra `api`. A processor's types are in `processors`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qa_queue.api.extending import Admin, Backend, Body, IdempotencyKey, Reader, Runner, answers
    from qa_queue.errors import (
        BrowserCrashedError,
        BrowserMissingError,
        CaseError,
        ConflictError,
        EvidenceError,
        ForbiddenError,
        IdempotencyBusyError,
        IdempotencyConflictError,
        InfrastructureError,
        InputError,
        ItemsError,
        NotFoundError,
        PayloadError,
        ProcessPausedError,
        QAError,
        RedisUnavailableError,
        RetryLaterError,
        RowRefusedError,
        RunCancelledError,
        RunReturnedError,
        RunTimedOutError,
        SettingsError,
        StackError,
        StoreAuthError,
        StoreError,
        StoreSchemaError,
        StoreUnavailableError,
        UnknownQueueError,
    )
    from qa_queue.extensions import ExtensionSpec
    from qa_queue.models import Frozen, JobContext, JobProgress, utc_now
    from qa_queue.models.values import Backoff
    from qa_queue.producer import (
        JobProducer,
        JobRequest,
        QueueProducer,
        RunRequest,
        SubmittedBatch,
        SubmittedJob,
        SubmittedRun,
    )
    from qa_queue.queues import QueueManager
    from qa_queue.redis import RedisClient
    from qa_queue.reports.steps import step
    from qa_queue.settings import Settings, load_settings
    from qa_queue.store.client import SupabaseClient
    from qa_queue.store.memory import MemoryStore
    from qa_queue.store.supabase import SupabaseStore

    __version__: str

__all__ = [
    "Admin",
    "Backend",
    "Backoff",
    "Body",
    "BrowserCrashedError",
    "BrowserMissingError",
    "CaseError",
    "ConflictError",
    "EvidenceError",
    "ExtensionSpec",
    "ForbiddenError",
    "Frozen",
    "IdempotencyBusyError",
    "IdempotencyConflictError",
    "IdempotencyKey",
    "InfrastructureError",
    "InputError",
    "ItemsError",
    "JobContext",
    "JobProducer",
    "JobProgress",
    "JobRequest",
    "MemoryStore",
    "NotFoundError",
    "PayloadError",
    "ProcessPausedError",
    "QAError",
    "QueueManager",
    "QueueProducer",
    "Reader",
    "RedisClient",
    "RedisUnavailableError",
    "RetryLaterError",
    "RowRefusedError",
    "RunCancelledError",
    "RunRequest",
    "RunReturnedError",
    "RunTimedOutError",
    "Runner",
    "Settings",
    "SettingsError",
    "StackError",
    "StoreAuthError",
    "StoreError",
    "StoreSchemaError",
    "StoreUnavailableError",
    "SubmittedBatch",
    "SubmittedJob",
    "SubmittedRun",
    "SupabaseClient",
    "SupabaseStore",
    "UnknownQueueError",
    "__version__",
    "answers",
    "load_settings",
    "step",
    "utc_now",
]

# The modules of the names that are not errors.
_MODULES = {
    name: module
    for module, names in {
        "qa_queue.api.extending": ("Admin", "Backend", "Body", "IdempotencyKey", "Reader", "Runner", "answers"),
        "qa_queue.extensions": ("ExtensionSpec",),
        "qa_queue.models": ("Frozen", "JobContext", "JobProgress", "utc_now"),
        "qa_queue.models.values": ("Backoff",),
        "qa_queue.producer": (
            "JobProducer",
            "JobRequest",
            "QueueProducer",
            "RunRequest",
            "SubmittedBatch",
            "SubmittedJob",
            "SubmittedRun",
        ),
        "qa_queue.queues": ("QueueManager",),
        "qa_queue.redis": ("RedisClient",),
        "qa_queue.reports.steps": ("step",),
        "qa_queue.settings": ("Settings", "load_settings"),
        "qa_queue.store.client": ("SupabaseClient",),
        "qa_queue.store.memory": ("MemoryStore",),
        "qa_queue.store.supabase": ("SupabaseStore",),
    }.items()
    for name in names
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = (
        _version() if name == "__version__" else getattr(import_module(_MODULES.get(name, "qa_queue.errors")), name)
    )
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    """List the public names."""
    return sorted(__all__)


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415 - no other name needs it

    try:
        return version("qa-queue")
    except PackageNotFoundError:  # a source tree that was never installed
        return "0+unknown"
