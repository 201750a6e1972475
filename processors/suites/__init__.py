"""Tests of pytest suites as runs, in warm host processes outside the worker's own."""
