"""The processors, one for each queue: they drive the browser and record results.

The names in `__all__` are public, for packages that add queues; each is imported when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from processors.base import BaseJobProcessor, BrowserPool, CancelCheck, ProgressSink, RecordSink, Services
    from processors.entry import perform
    from processors.runtime import Runtime

__all__ = [
    "BaseJobProcessor",
    "BrowserPool",
    "CancelCheck",
    "ProgressSink",
    "RecordSink",
    "Runtime",
    "Services",
    "perform",
]

_MODULES = {"Runtime": "processors.runtime", "perform": "processors.entry"}  # the others are in processors.base


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(_MODULES.get(name, "processors.base")), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    """List the public names."""
    return sorted(__all__)
