"""One host process of a pytest suite: start it, run tests in it, end it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import shlex
import signal
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qa_queue.errors import InfrastructureError, InputError
from qa_queue.models.payloads import PytestSuite
from qa_queue.suites.stacks import SIGNAL

if TYPE_CHECKING:
    from qa_queue.reports.phases import Phase

_HOST = Path(__file__).with_name("host.py")  # never imported: it needs pytest, and runs in the suite's environment
STOP_S = 10.0  # for teardown of session fixtures, before the process group is killed
_LINE_BYTES = 8 << 20  # of one message
_OWN_FRAME = re.compile(
    r"^  File \"[^\"]*(?:/_pytest/|/pluggy/|/lib/python3\.\d+/(?!site-packages/)"
    r"|/qa_queue/suites/(?:host|stacks)\.py|<frozen )[^\n]*\n?",
    re.MULTILINE,
)
_EMPTY_STACK = re.compile(r"^(?:Current thread|Thread) 0x[^\n]*\n\n?(?!  File)", re.MULTILINE)
_NO_PYTEST = "ModuleNotFoundError: No module named 'pytest'"
_LOG_BYTES = 4_000  # of the host's output in an error
STACK_S = 3.0  # for a host to answer where it is, and again for the dump of one that cannot
_POLL_S = 0.02
_STACK_END = re.compile(r"host\.py\", line \d+ in <module>\n|^  \.\.\.\n", re.MULTILINE)


class HostDiedError(InfrastructureError):
    """A host process ended while it ran a test: the test crashed it, or it was killed."""


@dataclass(frozen=True, kw_only=True)
class CollectedTest:
    """A test of a suite. `line` counts from 1.

    `shared` are fixtures wider than one test, as `scope:name`; tests with one `group` run in one process, in order.
    """

    id: str
    file: str
    line: int
    name: str
    class_id: str | None
    markers: tuple[str, ...]
    group: str | None
    shared: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Collection:
    """The tests of a suite. `root` is the folder that node ids begin at; `errors` maps files to what is wrong.

    With `continues` the suite's options ask to run the others all the same. `reads` are the states of the files and
    folders on which they depend; None if they depend on more.
    """

    root: str
    tests: tuple[CollectedTest, ...]
    errors: Mapping[str, str]
    continues: bool = False
    reads: Mapping[str, str] | None = None


class HostProcess:
    """A running host. Every method may raise `HostDiedError`."""

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        python: str,
        channel: socket.socket,
        log: Path,
        folder: contextlib.ExitStack,
    ) -> None:
        self._process = process
        self._python = python
        self._channel = channel
        self._log = log
        self._folder = folder
        self.output = log.parent / "output"
        self.runs = 0
        self.outside: dict[str, str] = {}  # modules that it imported from outside the suite's folder: their states
        self._reason: str | None = None
        self._logged = 0  # bytes of the log before the current test

    @classmethod
    async def start(
        cls, suite: PytestSuite, environment: Mapping[str, str], *, collect_only: bool = False
    ) -> HostProcess:
        """Start a host in the suite's folder, in a process group of its own.

        Raises:
            InputError: the folder or the interpreter does not exist.
        """
        ours, theirs = socket.socketpair()
        folder = contextlib.ExitStack()
        scratch = tempfile.TemporaryDirectory(prefix="qa-suite-", ignore_cleanup_errors=True)
        log = Path(folder.enter_context(scratch), "host.log")
        command = [suite.python or sys.executable, str(_HOST), str(theirs.fileno()), *suite.arguments]
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            process = await asyncio.create_subprocess_exec(
                *command,
                *(["--collect-only"] if collect_only else []),
                cwd=suite.root,
                env=dict(environment) | {"QA_SUITE_OUTPUT": str(log.parent / "output")},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        except OSError as error:
            ours.close()
            folder.close()
            missing = error.filename or command[0]
            raise InputError(f"The suite cannot be started: {missing}: {error.strerror or error}") from error
        finally:
            os.close(output)
            theirs.close()
        ours.setblocking(False)
        return cls(process, command[0], ours, log, folder)

    @property
    def pid(self) -> int:
        """The process id, which is also that of its group."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """True while the process runs."""
        return self._process.returncode is None

    async def collected(self) -> Collection:
        """Return what the suite contains; only of a process that was started with `collect_only`.

        Raises:
            InputError: pytest ended without a collection, with the end of its output.
        """
        message = await self._first("collected")
        return Collection(
            root=message["root"],
            tests=tuple(
                CollectedTest(
                    id=one["id"],
                    file=one["file"],
                    line=one["line"],
                    name=one["name"],
                    class_id=one["class"],
                    markers=tuple(one["markers"]),
                    group=one["group"],
                    shared=tuple(one["shared"]),
                )
                for one in message["items"]
            ),
            errors={one["id"]: one["message"] for one in message["errors"]},
            continues=message["continues"],
            reads=message["reads"],
        )

    async def ready(self) -> None:
        """Return once pytest's session is up; call it once, before the other methods.

        Raises:
            InputError: pytest ended before, with the end of its output.
        """
        await self._first("ready")

    async def select(self, node_ids: Sequence[str]) -> tuple[str, ...]:
        """Return the ids of the tests in these files, classes and tests, collected if they were not yet.

        Raises:
            InputError: pytest cannot collect one of them.
            HostDiedError: the process ended meanwhile.
        """
        self._begin_test()
        self._send(op="select", ids=list(node_ids))
        message = await self._answer()
        if message["errors"]:
            raise InputError("\n".join(f"{one['id']}: {one['message']}" for one in message["errors"]))
        return tuple(message["ids"])

    async def run(self, node_ids: Sequence[str]) -> AsyncIterator[tuple[str, Phase | None]]:
        """Run selected tests in this order; yield each phase with its test's id, then None for the end of the test.

        Raises:
            HostDiedError: the process ended meanwhile.
        """
        self._begin_test()
        self._send(op="run", ids=list(node_ids))
        left = len(node_ids)
        while left:
            message = await self._answer()
            if message["event"] == "done":
                left -= 1
                self._begin_test()
                self.runs += 1
                self.outside |= message["outside"]
                yield message["id"], None
            else:
                yield message["id"], _phase(message)

    async def stack(self) -> str:
        """Return where the process is, to explain why it has to be killed; no other method works afterwards."""
        try:
            async with asyncio.timeout(STACK_S):
                self._send(op="stack")
                return await self._stack_text()
        except TimeoutError:
            return await self._dumped()

    async def _stack_text(self) -> str:
        while (message := await self._next()) is not None:
            if message["event"] == "stack":
                return str(message["text"])
        return ""

    async def stop(self) -> None:
        """Tear down the suite's fixtures and end the process; kill it if it does not end in time."""
        try:
            if self.alive:
                self._send(op="stop")
                async with asyncio.timeout(STOP_S):
                    await self._process.wait()
        except (TimeoutError, ConnectionError):
            pass
        finally:
            await self.kill()

    async def kill(self, reason: str | None = None) -> None:
        """End the process and all that it started, browsers included; `reason` is for the error that follows."""
        self._reason = self._reason or reason
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        await self._process.wait()
        if hasattr(self, "_writer"):
            self._writer.close()
        else:
            self._channel.close()
        self._folder.close()

    async def _dumped(self) -> str:
        """Return the dump of a process whose C code lets no thread answer."""
        self._begin_test()
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(self.pid, SIGNAL)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STACK_S):
                while not _STACK_END.search(self._since_test()):  # noqa: ASYNC110 - a file cannot be awaited
                    await asyncio.sleep(_POLL_S)
        return self._tail()

    async def _first(self, event: str) -> dict[str, Any]:
        self._reader, self._writer = await asyncio.open_connection(sock=self._channel, limit=_LINE_BYTES)
        message = await self._next()
        if message is None or message["event"] != event:
            await self._process.wait()
            raise InputError(self._failed_start(self._tail()))
        return message

    def _failed_start(self, output: str) -> str:
        if output.endswith(_NO_PYTEST):
            install = f"{shlex.quote(self._python)} -m pip install pytest pytest-playwright"
            return (
                f"{self._python} has no pytest. Install the suite's packages there, as with `{install}`, or name "
                "the interpreter or virtual environment of the suite with --python."
            )
        return f"pytest could not start on the suite:\n{output}"

    def _begin_test(self) -> None:
        with contextlib.suppress(OSError):  # it was killed meanwhile
            self._logged = self._log.stat().st_size

    def _send(self, **message: Any) -> None:
        self._writer.write(json.dumps(message).encode() + b"\n")

    async def _answer(self) -> dict[str, Any]:
        message = await self._next()
        if message is None or message["event"] == "ended":
            code = await self._process.wait()
            raise HostDiedError(f"The test's process {self._reason or _ending(code)}.\n{self._tail()}".rstrip())
        return message

    async def _next(self) -> dict[str, Any] | None:
        try:
            line = await self._reader.readline()
        except (ConnectionError, ValueError):
            return None
        return json.loads(line) if line else None

    def _since_test(self) -> str:
        try:
            return self._log.read_bytes()[self._logged :].decode(errors="replace")
        except OSError:
            return ""

    def _tail(self) -> str:
        return readable(self._since_test())[-_LOG_BYTES:].strip()


def _phase(message: Mapping[str, Any]) -> Phase:
    from qa_queue.reports.phases import Phase

    return Phase(**{key: value for key, value in message.items() if key not in ("event", "id")})


def readable(output: str) -> str:
    """Return a host's output, with dumps of its stack without the frames of pytest, Python and the host."""
    return _EMPTY_STACK.sub("", _OWN_FRAME.sub("", output))


def _ending(code: int) -> str:
    if code >= 0:
        return f"ended with exit code {code}"
    return f"was ended by {signal.Signals(-code).name}"
