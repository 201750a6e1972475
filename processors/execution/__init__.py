"""Test runs: plan the attempts of a case, drive the browser through its steps, and record what happened."""

from processors.execution.processor import TestExecutionProcessor

__all__ = ["TestExecutionProcessor"]
