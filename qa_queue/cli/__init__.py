"""The command line: parse, call, render. Each command is a thin function; the work is done in the rooms below."""

from qa_queue.cli.app import app, main

__all__ = ["app", "main"]
