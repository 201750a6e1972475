"""The `cleanup` queue: delete runs past their retention, with their rows and their artifacts."""

from processors.cleanup.processor import CleanupProcessor

__all__ = ["CleanupProcessor"]
