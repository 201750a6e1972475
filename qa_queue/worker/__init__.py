"""The worker of qa-queue, an `rq.Worker` whose jobs run in one warm child process, several at once."""

from qa_queue.worker.environment import complete_environment

complete_environment()

from qa_queue.worker.worker import QAWorker  # noqa: E402 - RQ reads the environment as soon as it is imported

__all__ = ["QAWorker"]
