"""Python's sources as trees."""

from __future__ import annotations

import ast
import gc


def parsed(source: str) -> ast.Module:
    """Return the tree of a source.

    Without the garbage collector meanwhile: if that runs Python code, Python 3.11 raises a SystemError about the
    depth of recursion (https://github.com/python/cpython/issues/106905).
    """
    gc.disable()
    try:
        return ast.parse(source)
    finally:
        gc.enable()
