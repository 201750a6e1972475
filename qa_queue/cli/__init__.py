"""The command line: parse, call, render. The commands are thin; the packages below do the work."""

from qa_queue.cli.app import app, main

__all__ = ["app", "main"]
