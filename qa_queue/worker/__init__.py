"""The worker of qa-queue, an `rq.Worker` whose jobs run in one warm child process, several at once.

`QAWorker` is imported when it is first used: the child and the scheduler need none of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qa_queue.worker.worker import QAWorker

__all__ = ["QAWorker"]


def __getattr__(name: str) -> Any:
    if name != "QAWorker":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from qa_queue.worker.environment import complete_environment  # noqa: PLC0415 - see above

    complete_environment()
    from qa_queue.worker.worker import QAWorker  # noqa: PLC0415 - after the environment, which RQ reads

    return QAWorker
