"""`qa-queue up`: the stack and, on it, every line of the Procfile, until Ctrl-C."""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from honcho.colour import get_colours
from honcho.environ import parse_procfile
from honcho.printer import Message, Printer

from qa_queue.auth.logins import login_link
from qa_queue.errors import StackError
from qa_queue.local.files import private_folder, stored_secret
from qa_queue.local.process import LOOPBACK, port_is_free
from qa_queue.local.project import PROCFILE
from qa_queue.local.stack import Stack
from qa_queue.local.supervise import Supervisor
from qa_queue.redis import RedisClient
from qa_queue.redis.servers import main_server
from qa_queue.settings import Settings, child_environment

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_OWN_NAME = "qa-queue"
_LOGIN = re.compile(r"(?<=://)[^/]*@")


def up(settings: Settings, procfile: Path | None = None) -> int:
    """Run the service until it is asked to stop; return the exit code 0.

    `procfile` is the one in the working folder, else the checkout's, unless given.

    Raises:
        StackError: a part did not start, or a process ended too often. Nothing is left running.
    """
    commands = read_procfile(procfile or _procfile())
    _refuse_taken_ports(settings)
    say = printer(tuple(commands))
    say("", "starting; the very first time takes half a minute")
    with _signals() as signals, Stack(settings) as stack:
        login, where = dashboard_login(settings)
        supervisor = Supervisor(commands, _environment(stack.environment() | login), say)
        for line in addresses(stack.settings, where, _way_in(stack.settings)):
            say("", line)
        signals.act = supervisor.ask_to_stop
        supervisor.run(watch=stack.check)
        signals.act = _nothing  # the stack stops in peace
    say("", "everything is stopped")
    return 0


def read_procfile(path: Path) -> dict[str, str]:
    """The commands of a Procfile by name.

    Raises:
        StackError: it cannot be read or has no line of the form `name: command`.
    """
    try:
        found = dict(parse_procfile(path.read_text(encoding="utf-8")).processes)
    except OSError as error:
        raise StackError(f"The Procfile {path} cannot be read: {error.strerror}.") from error
    if not found:
        raise StackError(f"The Procfile {path} has no line of the form `name: command`.")
    return found


def addresses(settings: Settings, dashboard_password: str, way_in: str = "") -> list[str]:
    """Where everything is, for people; without passwords. `way_in` is the link that logs in to the pages."""
    return [
        f"pages      {way_in or f'http://{LOOPBACK}:{settings.qa_web_port}'}",
        f"dashboard  http://{LOOPBACK}:{settings.qa_dashboard_port}  (user {settings.qa_dashboard_user}, "
        f"password {dashboard_password})",
        f"redis      {_redis(settings)}",
        f"supabase   {settings.supabase_url}",
        "Ctrl-C stops everything; a second one does not wait for running tests",
    ]


def _redis(settings: Settings) -> str:
    sentinels = main_server(settings).sentinels
    if sentinels is not None:
        return f"the master {sentinels.master!r} of the Sentinels {sentinels}"
    return without_login(settings.redis_dsn)


def _way_in(settings: Settings) -> str:
    """A link that logs in to the pages once, with where to get more; nothing where the pages are open."""
    if settings.qa_api_open_on_loopback:
        return ""
    link = login_link(RedisClient(settings).connect(), settings.qa_web_port)
    return f"{link}  (works once; `qa-queue token link` makes more)"


def without_login(url: str) -> str:
    """The URL without user and password."""
    return _LOGIN.sub("", url)


def dashboard_login(settings: Settings) -> tuple[dict[str, str], str]:
    """rq-dashboard's password as variables, and in words where to find it; made where none is set."""
    if settings.qa_dashboard_password:
        return {}, "from QA_DASHBOARD_PASSWORD"
    kept = private_folder(settings.qa_home) / "dashboard_password"
    return {"QA_DASHBOARD_PASSWORD": stored_secret(kept)}, f"in {kept}"


def printer(names: tuple[str, ...]) -> Callable[[str, str], None]:
    """What writes a line of a process to stdout, in honcho's form; the name '' is our own."""
    out = Printer(sys.stdout, width=max(len(name) for name in (*names, _OWN_NAME)))
    colours = dict(zip(names, get_colours(), strict=False))

    def say(name: str, text: str) -> None:
        out.write(Message("line", text, datetime.now().astimezone(), name or _OWN_NAME, colours.get(name)))

    return say


def _procfile() -> Path:
    here = Path("Procfile")
    return here if here.is_file() else PROCFILE


def _refuse_taken_ports(settings: Settings) -> None:
    for name, port in (("QA_WEB_PORT", settings.qa_web_port), ("QA_DASHBOARD_PORT", settings.qa_dashboard_port)):
        if not port_is_free(port):
            raise StackError(
                f"{name}={port} is in use on {LOOPBACK}: stop what listens there, or set another port."
            )


def _environment(additions: dict[str, str]) -> dict[str, str]:
    """The commands of this Python's environment come first on PATH; output arrives line by line."""
    found = child_environment(additions | {"PYTHONUNBUFFERED": "1"})
    return found | {"PATH": os.pathsep.join([str(Path(sys.executable).parent), found.get("PATH", os.defpath)])}


@dataclass
class _Signals:
    """What a signal to stop does just now."""

    act: Callable[[], None]


def _interrupt() -> None:
    raise KeyboardInterrupt


def _nothing() -> None:
    """The signal comes while everything stops already."""


@contextmanager
def _signals() -> Iterator[_Signals]:
    """Route the signals to stop; at first they interrupt."""
    signals = _Signals(_interrupt)
    before = {number: signal.signal(number, lambda *_: signals.act()) for number in _SIGNALS}
    try:
        yield signals
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
