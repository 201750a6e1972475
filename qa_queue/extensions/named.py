"""Importing what is named as `module:name`, which only some processes need."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from qa_queue.errors import InputError


def load_named(path: str) -> Any:
    """The object at `module:name`.

    Raises:
        InputError: it cannot be imported; says why.
    """
    module, _, name = path.partition(":")
    try:
        return getattr(import_module(module), name)
    except (Exception, SystemExit) as error:  # another package's code runs here, and may raise whatever it likes
        raise InputError(f"{path} cannot be loaded ({type(error).__name__}: {error}).") from error
