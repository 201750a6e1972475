"""A pytest session that stays up and runs the tests it is asked for: `python host.py FD [pytest's arguments]`.

It runs in the suite's own environment, which need not have qa-queue, so it imports the standard library and pytest
alone. `FD` is a socket to the worker; each message is one JSON object a line.

To the worker:
    {"event": "collected", "root": ..., "items": [...], "errors": [...], "continues": ..., "reads": ...}
                                  with --collect-only: the whole suite, whether pytest continues after its errors,
                                  and the states of what its collection read
    {"event": "ready"}                                  otherwise: the session is up; nothing is collected yet
    {"event": "selected", "ids": [...], "errors": [...]}            the answer to `select`
    {"event": "phase", "id": ..., "when": ..., ...}                 after setup, call and teardown of a test
    {"event": "done", "id": ..., "outside": {...}}                  after the teardown, with the states of the
                                  modules that were imported from outside the suite's folder since the last one
    {"event": "stack", "text": ...}                                 the answer to `stack`, at any time
    {"event": "ended", "code": ...}                                 the session is over
From the worker:
    {"op": "select", "ids": [...]}  collect the files of these tests, or whole files, and return the tests
    {"op": "run", "ids": [...]}     run selected tests in this order; session fixtures stay up afterwards
    {"op": "stack"}                 return the stacks of this process, while a test runs
    {"op": "stop"}                  tear everything down and end

`QA_SUITE_CHROMIUM` names a Chromium for pytest-playwright to use where Playwright has none of its own,
`QA_SUITE_OUTPUT` the folder for the files that its fixtures record. `QA_SUITE_TRACING`, `_VIDEO` and `_SCREENSHOT`
set its options of these names; with `QA_SUITE_HAR=on` the traffic of its `context` is recorded.
"""

from __future__ import annotations

import contextlib
import importlib.util
import inspect
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
from types import ModuleType
from typing import Any

import pytest

_LONGEST = 100_000  # characters of one text that travel: a traceback or captured output
_OOM_SCORE = "500"  # so that the kernel ends a host before it ends a worker
_BY_EARLIER = ("lf", "failedfirst", "newfirst", "stepwise", "stepwise_skip")  # options that read earlier sessions
GROUP_MARKER = "xdist_group"  # tests of one group run in one process, in order, as with pytest-xdist


class _Connection:
    """Messages over a socket, one JSON object a line.

    When the worker is gone, even while a test hangs, the host kills its whole process group, browsers included.
    """

    def __init__(self, fd: int) -> None:
        self._socket = socket.socket(fileno=fd)
        self._requests: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self._sending = threading.Lock()
        threading.Thread(target=self._read, daemon=True).start()

    def send(self, **message: Any) -> None:
        line = json.dumps(message).encode() + b"\n"
        with self._sending:
            self._socket.sendall(line)

    def receive(self) -> dict[str, Any]:
        return self._requests.get()

    def _take(self, message: dict[str, Any]) -> None:
        """Answer where the process is at once, also while a test runs; leave the rest to `receive`."""
        if message["op"] == "stack":
            self.send(event="stack", text=_short(_STACKS.stacks()))
        else:
            self._requests.put(message)

    def _read(self) -> None:
        try:
            with self._socket.makefile("r", encoding="utf-8") as lines:
                for message in map(json.loads, lines):
                    self._take(message)
        finally:  # also after a reset: the worker died with messages of ours unread
            os.killpg(0, signal.SIGKILL)


class _KeepSession(pytest.Item):
    """Stands for a next test that is not known yet: pytest tears down all but the session's fixtures for it."""

    def runtest(self) -> None:
        """Never called."""


class _Named:
    """Tells qa-queue's own plugin that it runs in a host."""


class HostPlugin:
    """Reports the collection, or collects and runs tests on request instead of pytest's own loop."""

    def __init__(self, connection: _Connection, reads: Any) -> None:
        self._connection = connection
        self._reads = reads
        self._errors: list[dict[str, str]] = []
        self._items: dict[str, dict[str, pytest.Item]] = {}  # by file, then by node id
        self._folders: dict[tuple[Path, Any], Any] = {}  # collectors, by path and parent
        self._subtests = _FACTS.Subtests()
        self._outside = _READS.Reads()  # modules from outside the suite's folder, and pytest's settings
        self._told: set[str] = set()  # those of them that the worker knows
        self._modules = 0  # their number when they were last looked through

    @pytest.hookimpl(wrapper=True)
    def pytest_cmdline_main(self, config: pytest.Config) -> Generator[None, Any, Any]:
        """Keep the tests in this process where the suite's own options ask for pytest-xdist."""
        for name, value in (("numprocesses", None), ("dist", "no"), ("tx", [])):
            if hasattr(config.option, name):
                setattr(config.option, name, value)
        return (yield)

    def pytest_configure(self, config: pytest.Config) -> None:
        """Declare the marker of groups, record named steps, and give each host an output folder of its own."""
        config.pluginmanager.register(_Named(), _FACTS.HOST_PLUGIN)
        self._outside.add([str(config.inipath)] if config.inipath else [])
        config.addinivalue_line("markers", f"{GROUP_MARKER}(name): tests that run in one process, in order")
        recorder = config.pluginmanager.get_plugin("qa_queue")
        if recorder is not None and hasattr(recorder, "record_steps"):
            recorder.record_steps(config)
        if hasattr(config.option, "tracing") and hasattr(config.option, "output"):
            config.option.output = os.environ.get("QA_SUITE_OUTPUT", config.option.output)
            for name in ("tracing", "video", "screenshot"):
                value = os.environ.get(f"QA_SUITE_{name.upper()}", getattr(config.option, name))
                setattr(config.option, name, value)
            if config.option.video != "off" and not config.option.collectonly:
                _FFMPEG.provide_ffmpeg()

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Keep what could not be collected; the other files run all the same."""
        if report.failed:
            self._errors.append({"id": report.nodeid, "message": _short(str(report.longrepr))})

    def pytest_collection(self, session: pytest.Session) -> bool | None:
        """Collect everything with --collect-only, otherwise nothing before it is asked for."""
        if session.config.option.collectonly:
            return None
        session.items = []
        return True

    @pytest.hookimpl(wrapper=True, optionalhook=True)
    def pytest_collect_directory(self, path: Path, parent: pytest.Collector) -> Generator[None, Any, Any]:
        """Keep one collector for each folder: fixtures of its conftest and of its scope belong to that object."""
        made = yield
        return self._folders.setdefault((path, parent), made)

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Announce the tests, or serve requests until the worker ends the session."""
        if session.config.option.collectonly:
            items = [_described(item) for item in session.items]
            root = str(session.config.rootpath)
            self._connection.send(
                event="collected",
                root=root,
                items=items,
                errors=self._errors,
                continues=bool(session.config.option.continue_on_collection_errors),
                reads=self._states(session),
            )
            return True
        self._connection.send(event="ready")
        keep = _KeepSession.from_parent(session, name="next")
        while (message := self._connection.receive())["op"] != "stop":
            if message["op"] == "select":
                self._select(session, message["ids"])
            else:
                self._run([self._items[_file(one)][one] for one in message["ids"]], keep)
        session._setupstate.teardown_exact(None)
        return True

    def _states(self, session: pytest.Session) -> dict[str, str] | None:
        """Return the states of what the collection read; None if it depends on more, as on an earlier session."""
        chosen = (getattr(session.config.option, name, False) for name in _BY_EARLIER)
        if self._errors or self._reads.outside or any(chosen):
            return None
        above = _READS.surroundings(
            str(session.config.invocation_params.dir), {str(item.path) for item in session.items}
        )
        self._reads.add((*above, *_READS.package_folders(), sys.executable))
        return dict(self._reads.states)

    def _select(self, session: pytest.Session, wanted: list[str]) -> None:
        self._errors.clear()
        found: dict[str, None] = {}
        for one in wanted:
            matching = [node_id for node_id in self._file(session, _file(one)) if _belongs(node_id, one)]
            if not matching and not self._errors:
                self._errors.append({"id": one, "message": f"pytest finds no test {one}"})
            found.update(dict.fromkeys(matching))
        self._connection.send(event="selected", ids=list(found), errors=self._errors)

    def _file(self, session: pytest.Session, file: str) -> dict[str, pytest.Item]:
        """Return the tests of a file, collected once, so that tests of one module share its fixtures."""
        if file not in self._items:
            with contextlib.suppress(pytest.UsageError):  # it does not exist
                items = session.perform_collect([str(session.config.rootpath / file)])
                if not self._errors:
                    self._items[file] = {item.nodeid: item for item in items}
        return self._items.get(file, {})

    def _run(self, chosen: list[pytest.Item], keep: pytest.Item) -> None:
        for item, following in zip(chosen, [*chosen[1:], keep], strict=True):
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            self._connection.send(event="done", id=item.nodeid, outside=self._imported())

    def _imported(self) -> dict[str, str]:
        """Return the states of new modules that are neither from the suite's folder nor from a package."""
        if len(sys.modules) == self._modules:
            return {}
        self._modules = len(sys.modules)
        self._outside.add_modules(list(sys.modules.values()))
        new = {path: state for path, state in self._outside.states.items() if path not in self._told}
        self._told |= new.keys()
        return new

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: Any, request: Any) -> Generator[None, Any, Any]:
        """Give pytest-playwright the machine's Chromium, where Playwright has not downloaded one."""
        if fixturedef.argname == "launch_browser" and (path := os.environ.get("QA_SUITE_CHROMIUM")):
            options = request.getfixturevalue("browser_type_launch_args")
            kind = request.getfixturevalue("browser_type")
            if kind.name == "chromium" and "channel" not in options and not _is_downloaded(kind.executable_path):
                options.setdefault("executable_path", path)
        value = yield
        if fixturedef.argname == "context" and os.environ.get("QA_SUITE_HAR") == "on":
            _record_har(value)
        return value

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: Any) -> Generator[None, Any, Any]:
        """Add the page at the failure to the report of a test that failed."""
        if call.when == "call" and call.excinfo is not None:
            _FACTS.add_snapshot(item)
        return (yield)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Send the report of one phase."""
        facts = self._subtests.facts_of(report)
        if facts is not None:
            self._connection.send(event="phase", id=report.nodeid, **_shortened(facts))


def _record_har(context: Any) -> None:
    """Record the traffic of a context of Playwright 1.60 or newer; the file is written when it closes."""
    folder = os.environ.get("QA_SUITE_OUTPUT")
    tracing: Any = getattr(context, "tracing", None)
    if folder and hasattr(tracing, "start_har"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        started = tracing.start_har(str(Path(folder, "network.har")))
        if inspect.iscoroutine(started):  # the suite uses Playwright's asynchronous half
            started.close()


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
        "group": _group(item),
        "shared": shared,
    }


def _group(item: pytest.Item) -> str | None:
    """Return the name that the test's group marker gives."""
    mark = item.get_closest_marker(GROUP_MARKER)
    if mark is None:
        return None
    return str(mark.kwargs.get("name", mark.args[0] if mark.args else "default"))


def _file(node_id: str) -> str:
    return node_id.partition("::")[0]


def _belongs(node_id: str, wanted: str) -> bool:
    """True if a test is the wanted one, one of its parameters, or in the wanted file or class."""
    return node_id == wanted or node_id.startswith((f"{wanted}::", f"{wanted}["))


def _fixtures(item: pytest.Item) -> Iterable[tuple[str, Any]]:
    info = getattr(item, "_fixtureinfo", None)
    return info.name2fixturedefs.items() if info is not None else ()


def _is_downloaded(executable: str) -> bool:
    """True if Playwright has its Chromium or the headless shell, which lies in a folder beside it."""
    folders = Path(executable).parents
    return Path(executable).exists() or (len(folders) > 2 and any(folders[2].glob("chromium_headless_shell-*")))


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}\n... {len(text) - _LONGEST} more characters"


def _shortened(value: Any) -> Any:
    """Return a JSON value with every text cut to what may travel."""
    if isinstance(value, str):
        return _short(value)
    if isinstance(value, dict):
        return {key: _shortened(one) for key, one in value.items()}
    return [_shortened(one) for one in value] if isinstance(value, list) else value


def _beside(name: str) -> ModuleType:
    """Load a module of qa-queue by its path: qa-queue itself need not be installed here."""
    spec = importlib.util.spec_from_file_location(f"qa_queue_{Path(name).stem}", Path(__file__).parents[1] / name)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


_FACTS = _beside("reports/pytest_facts.py")
_FFMPEG = _beside("settings/ffmpeg.py")
_READS = _beside("suites/reads.py")
_STACKS = _beside("suites/stacks.py")


def main(arguments: list[str]) -> int:
    """Run the session; whatever it prints goes to stderr, which the worker keeps as the host's log."""
    del sys.path[0]  # the folder of this file, whose modules would hide those of the suite
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(_OOM_SCORE)
    _STACKS.dump_on_signal(os.dup(2))
    connection = _Connection(int(arguments[0]))
    with redirect_stdout(sys.stderr):
        os.dup2(2, 1)
        reads = _READS.Reads()
        if "--collect-only" in arguments:
            reads.watch()
        code = int(pytest.main(arguments[1:], plugins=[HostPlugin(connection, reads)]))
    connection.send(event="ended", code=code)
    _STACKS.end_soon(code)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
