"""Commands without an interpreter's start for each: forks of one process that has imported the program.

A command is still a process of its own with its own arguments, environment, folder and output; only the imports,
most of what a short command costs, are done once for all of them.
"""

from __future__ import annotations

import atexit
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

from tests.support.poll import wait_until

ROOT = Path(__file__).resolve().parents[2]
_PRELOADED = ("qa_queue.store.supabase", "qa_queue.producer.job_producer", "qa_queue.monitoring.alerts")
_LONGEST_REQUEST = 1 << 20


def run_forked(
    arguments: Sequence[str], *, folder: Path, environment: Mapping[str, str], timeout: float
) -> subprocess.CompletedProcess[str]:
    """Run `qa-queue ARGUMENTS` to its end, as `subprocess.run` would with captured output.

    Raises:
        subprocess.TimeoutExpired: it took longer; it has been killed.
    """
    request = {"arguments": list(arguments), "folder": str(folder), "environment": dict(environment)}
    with (
        tempfile.TemporaryFile("w+") as out,
        tempfile.TemporaryFile("w+") as err,
        socket.socket(socket.AF_UNIX) as connection,
    ):
        connection.connect(_server())
        connection.settimeout(timeout)
        socket.send_fds(connection, [json.dumps(request).encode() + b"\n"], [out.fileno(), err.fileno()])
        with connection.makefile() as answers:
            pid = int(answers.readline())
            try:
                code = answers.readline()
            except TimeoutError:
                os.kill(pid, signal.SIGKILL)
                raise subprocess.TimeoutExpired(list(arguments), timeout) from None
        out.seek(0)
        err.seek(0)
        return subprocess.CompletedProcess(list(arguments), int(code or -signal.SIGKILL), out.read(), err.read())


@cache
def _server() -> str:
    """Start the process that forks, which ends with this one; returns the path of its socket."""
    folder = tempfile.TemporaryDirectory(prefix="qa-forked-")
    path = Path(folder.name) / "socket"
    command = [sys.executable, "-m", "tests.support.forked", str(path)]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
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
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
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
                    _command(connection)


def _cli_modules() -> list[str]:
    folder = ROOT / "qa_queue" / "cli"
    return [f"qa_queue.cli.{path.stem}" for path in sorted(folder.glob("*.py")) if path.stem != "__init__"]


def _command(connection: socket.socket) -> NoReturn:
    """Be the command that the connection asks for, and send its exit code."""
    request, files = _received(connection)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    connection.sendall(f"{os.getpid()}\n".encode())
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for number, file in enumerate(files, 1):
        os.dup2(file, number)
        os.close(file)
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    sys.argv = ["qa-queue", *request["arguments"]]
    code = _exit_code()
    connection.sendall(f"{code}\n".encode())
    os._exit(code)


def _received(connection: socket.socket) -> tuple[dict[str, Any], list[int]]:
    text, files, _, _ = socket.recv_fds(connection, _LONGEST_REQUEST, 2)
    while not text.endswith(b"\n"):
        text += connection.recv(_LONGEST_REQUEST)
    return json.loads(text), list(files)


def _exit_code() -> int:
    """Run the program, and end as an interpreter does."""
    code: object = 0
    try:
        import_module("qa_queue.cli").main()
    except SystemExit as end:
        code = end.code
    except BaseException:  # noqa: BLE001 - as the interpreter reports it
        sys.excepthook(*sys.exc_info())  # type: ignore[arg-type]
        code = 1
    if code is not None and not isinstance(code, int):
        sys.stderr.write(f"{code}\n")
        code = 1
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        if not stream.closed:
            stream.flush()
    return int(code or 0)


if __name__ == "__main__":
    _serve(Path(sys.argv[1]))
