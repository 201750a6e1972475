"""All queues: the service's own, and those that installed packages add by an entry point.

A package names an `ExtensionSpec` in the group `qa_queue.queues`; see `docs/how-to-processor.md`.
"""

from qa_queue.extensions.catalogue import GROUP, BrokenExtension, Catalogue, catalogue, known_queue, queue_names
from qa_queue.extensions.spec import ExtensionSpec, load_named

QueueSpec = ExtensionSpec  # the name in earlier versions

__all__ = [
    "GROUP",
    "BrokenExtension",
    "Catalogue",
    "ExtensionSpec",
    "QueueSpec",
    "catalogue",
    "known_queue",
    "load_named",
    "queue_names",
]
