"""Listeners of the browser: an error in one would fail the driver's next call, of any run."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from processors.browser.page_log import guarded, guarded_async

BROWSER = Path(__file__).resolve().parents[2] / "processors" / "browser"
GUARDS = {"guarded", "guarded_async"}


def fail(event: str) -> None:
    """As when a request of a tab that is still opening is asked for its frame."""
    raise RuntimeError(f"no frame for {event}")


async def fail_later(event: str) -> None:
    fail(event)


def test_a_listener_that_fails_does_not_raise(caplog: pytest.LogCaptureFixture) -> None:
    """The error is logged for who looks for it."""
    caplog.set_level("DEBUG")
    guarded(fail)("a request")
    assert "no frame for a request" in caplog.text


async def test_a_coroutine_that_listens_and_fails_does_not_raise(caplog: pytest.LogCaptureFixture) -> None:
    """As above."""
    caplog.set_level("DEBUG")
    await guarded_async(fail_later)("a route")
    assert "no frame for a route" in caplog.text


def listeners(source: str) -> Iterator[ast.expr]:
    """Return the listeners of `x.on("event", listener)`, and the values of what is called `_listeners`."""
    tree = ast.parse(source)
    bound = {
        target.id: value
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Tuple)
        for target, value in zip(node.targets[0].elts, getattr(node.value, "elts", []), strict=False)
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(attr="on"), args=[ast.Constant(), listener]):
                yield bound.get(listener.id, listener) if isinstance(listener, ast.Name) else listener
            case ast.AnnAssign(target=ast.Attribute(attr="_listeners"), value=ast.Dict(values=values)):
                yield from values


def is_guarded(listener: ast.expr) -> bool:
    return isinstance(listener, ast.Call) and isinstance(listener.func, ast.Name) and listener.func.id in GUARDS


def test_every_listener_of_the_browser_is_guarded() -> None:
    """In every module that listens."""
    found = [
        (path.name, one) for path in sorted(BROWSER.rglob("*.py")) for one in listeners(path.read_text("utf-8"))
    ]
    assert {"page_log.py", "traffic.py", "downloads.py", "navigations.py", "pages.py", "schemes.py"} <= {
        name for name, _ in found
    }
    assert [(name, ast.unparse(one)) for name, one in found if not is_guarded(one)] == []
