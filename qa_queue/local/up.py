"""`qa-queue up`: the stack and every line of the Procfile, until Ctrl-C."""

from __future__ import annotations

import re
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

from honcho.colour import get_colours
from honcho.environ import parse_procfile
from honcho.printer import Message, Printer

from qa_queue.errors import StackError
from qa_queue.local.files import PROCFILE, private_folder, stored_secret
from qa_queue.local.process import LOOPBACK, port_is_free, python_environment
from qa_queue.local.stack import Stack
from qa_queue.local.supervise import Supervisor
from qa_queue.redis.servers import main_server
from qa_queue.services import Backend
from qa_queue.services.changes import command_line
from qa_queue.settings import Settings

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_OWN_NAME = "qa-queue"
_LOGIN = re.compile(r"(?<=://)[^/]*@")


def up(settings: Settings, procfile: Path | None = None) -> int:
    """Run the service until it is asked to stop; return the exit code 0.

    `procfile` is by default the one in the working folder, else the checkout's.

    Raises:
        StackError: a part did not start, or a process ended too often. Every process has been stopped.
    """
    commands = read_procfile(procfile or _procfile())
    _refuse_taken_ports(settings)
    say = printer(tuple(commands))
    say("", "starting; the first start takes half a minute")
    with _signals() as signals, Stack(settings, partial(say, "")) as stack:
        login, source = dashboard_login(settings)
        supervisor = Supervisor(
            commands, python_environment(stack.environment() | login | {"PYTHONUNBUFFERED": "1"}), say
        )
        for line in addresses(stack.settings, source, _login_hint(stack.settings)):
            say("", line)
        signals.act = supervisor.ask_to_stop
        supervisor.run(watch=stack.check)
        signals.act = _ignore  # nothing interrupts the stack while it stops
    say("", "everything has stopped")
    return 0


def read_procfile(path: Path) -> dict[str, str]:
    """Return the commands of a Procfile by name.

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


def addresses(settings: Settings, dashboard_password: str, login_hint: str = "") -> list[str]:
    """Return the addresses of the service as lines without passwords; `login_hint` replaces that of the pages."""
    return [
        f"pages      {login_hint or f'http://{LOOPBACK}:{settings.qa_web_port}'}",
        f"dashboard  http://{LOOPBACK}:{settings.qa_dashboard_port}  (user {settings.qa_dashboard_user}, "
        f"password {dashboard_password})",
        f"redis      {_redis(settings)}",
        f"supabase   {settings.supabase_url}",
        "Ctrl-C stops everything; a second Ctrl-C does not wait for running tests",
    ]


def _redis(settings: Settings) -> str:
    sentinels = main_server(settings).sentinels
    if sentinels is not None:
        return f"the master {sentinels.master!r} of the Sentinels {sentinels}"
    return without_login(settings.redis_dsn)


def _login_hint(settings: Settings) -> str:
    """Return a link that logs in to the pages once, and how to get another; empty if the pages need no login."""
    if settings.qa_api_open_on_loopback:
        return ""
    with Backend(settings) as backend:
        link = backend.changes(command_line()).login_link()
    return f"{link}  (works once; `qa-queue token link` prints another)"


def without_login(url: str) -> str:
    """Return the URL without user and password."""
    return _LOGIN.sub("", url)


def dashboard_login(settings: Settings) -> tuple[dict[str, str], str]:
    """Return rq-dashboard's password as variables, and where it is kept; generate one if none is set."""
    if settings.qa_dashboard_password:
        return {}, "from QA_DASHBOARD_PASSWORD"
    kept = private_folder(settings.qa_home) / "dashboard_password"
    return {"QA_DASHBOARD_PASSWORD": stored_secret(kept)}, f"in {kept}"


def printer(names: tuple[str, ...]) -> Callable[[str, str], None]:
    """Return a function that writes a line of a process to stdout in honcho's format; our own name is ''."""
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


@dataclass
class _Signals:
    """The current reaction to a signal to stop."""

    act: Callable[[], None]


def _interrupt() -> None:
    raise KeyboardInterrupt


def _ignore() -> None:
    """Ignore a signal while everything is stopping."""


@contextmanager
def _signals() -> Iterator[_Signals]:
    """Handle the signals to stop; at first they interrupt."""
    signals = _Signals(_interrupt)
    before = {number: signal.signal(number, lambda *_: signals.act()) for number in _SIGNALS}
    try:
        yield signals
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
