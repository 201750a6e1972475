"""A pytest session that stays up and runs the tests it is asked for: `python host.py FD [pytest's arguments]`.

It runs in the suite's own environment, which need not have qa-queue, so it imports the standard library and pytest
alone. `FD` is a socket to the worker; each message is one JSON object a line.

To the worker:
    {"event": "collected", "items": [...], "errors": [...]}    once, before any test runs
    {"event": "phase", "id": ..., "when": ..., ...}             after setup, call and teardown of a test
    {"event": "done", "id": ...}                                after the teardown
    {"event": "ended", "code": ...}                             the session is over
From the worker:
    {"op": "run", "ids": [...]}     run these tests in this order; session fixtures stay up afterwards
    {"op": "stop"}                  tear everything down and end

`QA_SUITE_CHROMIUM` names a Chromium for pytest-playwright to use where Playwright has none of its own.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import socket
import sys
import threading
from collections.abc import Generator, Iterable
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest

_LONGEST = 200_000  # characters of one text that travel: a traceback or captured output


class _Connection:
    """Messages over a socket, one JSON object a line.

    When the worker is gone, even while a test hangs, the host kills its whole process group, browsers included.
    """

    def __init__(self, fd: int) -> None:
        self._socket = socket.socket(fileno=fd)
        self._requests: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        threading.Thread(target=self._read, daemon=True).start()

    def send(self, **message: Any) -> None:
        self._socket.sendall(json.dumps(message).encode() + b"\n")

    def receive(self) -> dict[str, Any]:
        return self._requests.get()

    def _read(self) -> None:
        try:
            with self._socket.makefile("r", encoding="utf-8") as lines:
                for line in lines:
                    self._requests.put(json.loads(line))
        finally:  # also after a reset: the worker died with messages of ours unread
            os.killpg(0, signal.SIGKILL)


class _KeepSession(pytest.Item):
    """Stands for a next test that is not known yet: pytest tears down all but the session's fixtures for it."""

    def runtest(self) -> None:
        """Never called."""


class HostPlugin:
    """Reports the collection, then runs tests on request instead of pytest's own loop."""

    def __init__(self, connection: _Connection) -> None:
        self._connection = connection
        self._errors: list[dict[str, str]] = []

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Keep what could not be collected; the other files run all the same."""
        if report.failed:
            self._errors.append({"id": report.nodeid, "message": _short(str(report.longrepr))})

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Announce the tests and serve requests until the worker ends the session."""
        items = {item.nodeid: item for item in session.items}
        self._connection.send(
            event="collected", items=[_described(item) for item in items.values()], errors=self._errors
        )
        if session.config.option.collectonly:
            return True
        keep = _KeepSession.from_parent(session, name="next")
        while (message := self._connection.receive())["op"] == "run":
            self._run([items[node_id] for node_id in message["ids"]], keep)
        session._setupstate.teardown_exact(None)
        return True

    def _run(self, chosen: list[pytest.Item], keep: pytest.Item) -> None:
        for item, following in zip(chosen, [*chosen[1:], keep], strict=True):
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            self._connection.send(event="done", id=item.nodeid)

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: Any, request: Any) -> Generator[None, Any, Any]:
        """Give pytest-playwright the machine's Chromium, where Playwright has not downloaded one."""
        if fixturedef.argname == "launch_browser" and (path := os.environ.get("QA_SUITE_CHROMIUM")):
            options = request.getfixturevalue("browser_type_launch_args")
            kind = request.getfixturevalue("browser_type")
            if kind.name == "chromium" and "channel" not in options and not _is_downloaded(kind.executable_path):
                options.setdefault("executable_path", path)
        return (yield)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Send the report of one phase."""
        crash = getattr(report.longrepr, "reprcrash", None)
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else None
        self._connection.send(
            event="phase",
            id=report.nodeid,
            when=report.when,
            outcome=report.outcome,
            start=report.start,
            stop=report.stop,
            duration=report.duration,
            message=crash.message if crash is not None else reason,
            traceback=_short(report.longreprtext) if report.longrepr and reason is None else "",
            wasxfail=getattr(report, "wasxfail", None),
            sections=[[title, _short(text)] for title, text in report.sections],
            properties=[[name, str(value)] for name, value in report.user_properties],
        )


def _described(item: pytest.Item) -> dict[str, Any]:
    """Return what the service needs to schedule a test: its id, place, markers and the fixtures that it shares."""
    path, line, _ = item.location
    shared = sorted(
        f"{definition.scope}:{name}"
        for name, definitions in _fixtures(item)
        for definition in definitions[-1:]
        if definition.scope in ("module", "class", "package")
    )
    cls = item.getparent(pytest.Class)
    return {
        "id": item.nodeid,
        "file": path,
        "line": (line or 0) + 1,
        "name": item.name,
        "class": cls.nodeid if cls is not None else None,
        "markers": sorted({mark.name for mark in item.iter_markers()}),
        "shared": shared,
    }


def _fixtures(item: pytest.Item) -> Iterable[tuple[str, Any]]:
    info = getattr(item, "_fixtureinfo", None)
    return info.name2fixturedefs.items() if info is not None else ()


def _is_downloaded(executable: str) -> bool:
    """True if Playwright has its Chromium or the headless shell, which lies in a folder beside it."""
    folders = Path(executable).parents
    return Path(executable).exists() or (len(folders) > 2 and any(folders[2].glob("chromium_headless_shell-*")))


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}\n... {len(text) - _LONGEST} more characters"


def main(arguments: list[str]) -> int:
    """Run the session; whatever it prints goes to stderr, which the worker keeps as the host's log."""
    connection = _Connection(int(arguments[0]))
    with redirect_stdout(sys.stderr):
        os.dup2(2, 1)
        code = int(pytest.main(arguments[1:], plugins=[HostPlugin(connection)]))
    connection.send(event="ended", code=code)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
