"""The payload of a job that runs tests of a pytest suite."""

from __future__ import annotations

from qa_queue.models.values import Frozen


class PytestSuite(Frozen):
    """A pytest suite as the worker starts it.

    `root` is the folder in which pytest is started, `python` the interpreter of the suite's environment (None is
    the worker's own), `arguments` what pytest gets besides the tests.
    """

    root: str
    python: str | None = None
    arguments: tuple[str, ...] = ()
