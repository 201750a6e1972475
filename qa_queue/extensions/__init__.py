"""The queues that there are: the service's own, and those that installed packages add by an entry point.

A package names a `QueueSpec` in the group `qa_queue.queues`; `docs/how-to-processor.md` tells how.
"""

from qa_queue.extensions.catalogue import GROUP, BrokenExtension, Catalogue, catalogue, known_queue, queue_names
from qa_queue.extensions.named import load_named
from qa_queue.extensions.spec import QueueSpec

__all__ = [
    "GROUP",
    "BrokenExtension",
    "Catalogue",
    "QueueSpec",
    "catalogue",
    "known_queue",
    "load_named",
    "queue_names",
]
