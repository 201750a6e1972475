"""Execution of pytest tests as runs, in host processes that stay warm between them."""
