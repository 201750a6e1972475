"""The service behind the HTTP API and the command line: its composition root, and the operations of both."""

from qa_queue.services.backend import Backend

__all__ = ["Backend"]
