"""Processes of the service without an interpreter's start for each: forks of one process that has imported it.

Each is still a process of its own with its own arguments, environment, folder, output and signals; only the
imports, most of what a start costs, are done once for all of them. A worker forks its child in the same way. A
clock that is off must be so before the imports, so each clock has a forking process. The faults, the wheel,
`qa-queue up` and `tests/acceptance/test_command_line.py` start fresh interpreters, as users do.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from importlib import import_module
from multiprocessing.connection import wait
from pathlib import Path
from typing import IO, Any, NoReturn

import psutil

from qa_queue.worker.die_with_parent import die_with_parent
from tests.support.clocks import SKEWED, clock_of, clock_off
from tests.support.forked_child import fork_child
from tests.support.poll import wait_until

ROOT = Path(__file__).resolve().parents[2]
_PRELOADED = (
    "qa_queue.store.supabase",
    "qa_queue.producer.job_producer",
    "qa_queue.monitoring.alerts",
    "rq.cli",
    "qa_queue.worker.worker",
    "qa_queue.worker.child",
    "qa_queue.worker.scheduler",
    "processors.runtime",
    "tests.support.runtimes",
)
_LONGEST_REQUEST = 1 << 20


class ForkedProcess:
    """The part of `subprocess.Popen` that tests use. The end by any signal is -9: how it ended is not known."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self.pid = int(self._line())
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Return None while it runs, then its exit code."""
        if self.returncode is None and wait([self._connection], 0):
            self._end()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Return its exit code once it has ended.

        Raises:
            subprocess.TimeoutExpired: it runs for longer.
        """
        if self.returncode is None:
            if not wait([self._connection], timeout):
                raise subprocess.TimeoutExpired([str(self.pid)], timeout or 0)
            self._end()
        assert self.returncode is not None
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """Send SIGKILL, unless it has ended."""
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        """Send SIGTERM, unless it has ended."""
        self.send_signal(signal.SIGTERM)

    def _end(self) -> None:
        code = int(self._line() or -signal.SIGKILL)
        self._connection.close()
        wait_until(lambda: not psutil.pid_exists(self.pid), what=f"the end of process {self.pid}")
        self.returncode = code

    def _line(self) -> str:
        with self._connection.makefile("rb", buffering=0) as answers:
            return bytes(answers.readline()).decode()


def can_be_forked(environment: Mapping[str, str]) -> bool:
    """Return whether a fork imports what an interpreter with this environment would.

    Packages on PYTHONPATH come in addition; a `sitecustomize` there, other than a clock's, would run first.
    """
    others = [Path(folder) for folder in _added_path(environment) if Path(folder) != SKEWED]
    return not any((folder / "sitecustomize.py").exists() for folder in others)


def start_servers(clocks_s: Iterable[int]) -> None:
    """Start the forking processes of these clocks side by side, before threads or forks of the caller need them."""
    with ThreadPoolExecutor() as threads:
        list(threads.map(_server, set(clocks_s)))


def start_forked(
    module: str,
    command: Sequence[str],
    *,
    folder: Path,
    environment: Mapping[str, str],
    out: IO[Any],
    err: IO[Any],
) -> ForkedProcess:
    """Start what this command would: the `main` of a module. Its output goes to these files."""
    request = {
        "module": module,
        "command": list(command),
        "folder": str(folder),
        "environment": dict(environment),
    }
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(_server(clock_of(environment)))
    socket.send_fds(connection, [json.dumps(request).encode() + b"\n"], [out.fileno(), err.fileno()])
    return ForkedProcess(connection)


def run_forked(
    arguments: Sequence[str], *, folder: Path, environment: Mapping[str, str], timeout: float
) -> subprocess.CompletedProcess[str]:
    """Run `qa-queue ARGUMENTS` to its end, as `subprocess.run` would with captured output.

    Raises:
        subprocess.TimeoutExpired: it took longer; it has been killed.
    """
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        command = ["qa-queue", *arguments]
        process = start_forked("qa_queue.cli", command, folder=folder, environment=environment, out=out, err=err)
        try:
            code = process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise
        out.seek(0)
        err.seek(0)
        return subprocess.CompletedProcess(list(arguments), code, out.read(), err.read())


@cache
def _server(clock_s: int) -> str:
    """Start the process that forks for a clock, which ends with this one; returns the path of its socket."""
    folder = tempfile.TemporaryDirectory(prefix="qa-forked-")
    path = Path(folder.name) / "socket"
    command = [sys.executable, "-m", "tests.support.forked", str(path)]
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment = kept | clock_off(clock_s)
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    wait_until(lambda: path.exists() or process.poll() is not None, timeout=120, what="the forking process")
    assert process.poll() is None, "the forking process has ended"

    @atexit.register
    def end() -> None:
        process.communicate()
        folder.cleanup()

    return str(path)


def _serve(path: Path) -> None:
    """Fork for each connection, until standard input ends."""
    for module in (*_cli_modules(), *_PRELOADED):
        import_module(module)
    _use_once()
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    server = os.getpid()
    with socket.socket(socket.AF_UNIX) as listener:
        made = path.with_suffix(".new")
        listener.bind(str(made))
        listener.listen()
        made.rename(path)  # who sees it can connect
        while listener in select.select([listener, sys.stdin], [], [])[0]:
            connection, _ = listener.accept()
            with connection:
                if os.fork() == 0:
                    listener.close()
                    _become(connection, server)


def _cli_modules() -> list[str]:
    folder = ROOT / "qa_queue" / "cli"
    return [f"qa_queue.cli.{path.stem}" for path in sorted(folder.glob("*.py")) if path.stem != "__init__"]


def _use_once() -> None:
    """Do what is slow when it is first done: read a case and settings, and load the certificates."""
    case = {"version": 1, "name": "A case", "steps": [{"goto": "/"}, {"expect": {"target": "h1", "text": "Text"}}]}
    _attribute("qa_queue.cases.reader", "parse_case")(case, source="forked")
    _attribute("qa_queue.settings", "Settings")(_env_file=None)
    transport: Any = import_module("httpx._transports.default")
    create = transport.create_ssl_context
    loaded = create(trust_env=False)

    def context(*, verify: Any, cert: Any, trust_env: bool) -> Any:
        asked = verify is not True or cert or {"SSL_CERT_FILE", "SSL_CERT_DIR"} & os.environ.keys()
        return create(verify=verify, cert=cert, trust_env=trust_env) if asked else loaded

    transport.create_ssl_context = context


def _become(connection: socket.socket, server: int) -> NoReturn:
    """Be the process that the connection asks for, and send its exit code."""
    request, files = _received(connection)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    die_with_parent(server)
    connection.sendall(f"{os.getpid()}\n".encode())
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for number, file in enumerate(files, 1):
        os.dup2(file, number)
        os.close(file)
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    sys.path[1:1] = _added_path(os.environ)
    code = _exit_code(partial(_run, request["module"], request["command"]))
    connection.sendall(f"{code}\n".encode())
    os._exit(code)


def _received(connection: socket.socket) -> tuple[dict[str, Any], list[int]]:
    text, files, _, _ = socket.recv_fds(connection, _LONGEST_REQUEST, 2)
    while not text.endswith(b"\n"):
        text += connection.recv(_LONGEST_REQUEST)
    return json.loads(text), list(files)


def _added_path(environment: Mapping[str, str]) -> list[str]:
    """Return the folders of PYTHONPATH."""
    return [folder for folder in environment.get("PYTHONPATH", "").split(os.pathsep) if folder]


def _run(module: str, command: list[str]) -> None:
    """Do what the command would, once its interpreter has imported the module."""
    sys.argv = command
    if command[1:3] == ["-W", "error"]:
        warnings.simplefilter("error")
    if module == "rq.cli":
        _attribute("qa_queue.worker.environment", "complete_environment")()
        supervisor: Any = import_module("qa_queue.worker.child_supervisor")
        supervisor.spawn = fork_child
    _attribute(module, "main")()


def _attribute(module: str, name: str) -> Any:
    return getattr(import_module(module), name)


def _exit_code(program: Callable[[], None]) -> int:
    """Run the program, and end as an interpreter does."""
    code: object = 0
    try:
        program()
    except SystemExit as end:
        code = end.code
    except BaseException:  # noqa: BLE001 - as the interpreter reports it
        sys.excepthook(*sys.exc_info())  # type: ignore[arg-type]
        code = 1
    if code is not None and not isinstance(code, int):
        sys.stderr.write(f"{code}\n")
        code = 1
    interpreter: Any = threading
    interpreter._shutdown()
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        if not stream.closed:
            stream.flush()
    return int(code or 0)


if __name__ == "__main__":
    _serve(Path(sys.argv[1]))
