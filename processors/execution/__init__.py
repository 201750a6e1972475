"""The `test-execution` queue: plan a run, drive the browser through its steps, and record the outcome."""

from processors.execution.processor import TestExecutionProcessor

__all__ = ["TestExecutionProcessor"]
