"""Options that several commands share, and the service that they open."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import ExitStack
from importlib import import_module
from threading import Thread
from typing import TYPE_CHECKING, Annotated

import typer

from qa_queue.errors import InputError
from qa_queue.models import Priority

if TYPE_CHECKING:
    from qa_queue.services import Backend
    from qa_queue.services.changes import Changes
    from qa_queue.settings import Settings

Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
Env = Annotated[list[str] | None, typer.Option("--env", help="A value for ${env.NAME}, as NAME=VALUE.")]
Run = Annotated[str, typer.Argument(metavar="RUN", help="The run's id, or its beginning.")]
PriorityName = Annotated[str, typer.Option("--priority", help="urgent, high, normal or low.")]

_PARTS = ("qa_queue.services.backend", "qa_queue.settings.logs", "qa_queue.redis", "qa_queue.store.supabase")
_opened = ExitStack()  # closed by `main` when the command has ended
_begun: list[Future[Backend]] = []  # at most one, for the next caller of `begun_backend`


def open_settings() -> Settings:
    """Return the settings, with logging configured by them."""
    from qa_queue.settings import load_settings
    from qa_queue.settings.logs import configure_logging

    settings = load_settings()
    configure_logging(settings.log_level if settings.log_level != "INFO" else "WARN", settings.log_format)
    return settings


def open_backend(*, check: bool = True) -> Backend:
    """Return the service, open until the command ends; without `check` a part fails when it is first used.

    Raises:
        RedisUnavailableError, StoreError: a part cannot be used; the message names it and says what to do.
        SettingsError: a setting is wrong or missing.
    """
    from qa_queue.services import Backend

    backend = _opened.enter_context(Backend(open_settings()))
    if check:
        backend.check()
    return backend


def begin_opening() -> None:
    """Begin to open the service beside what follows, for a command that needs it later.

    Its modules are imported here, so that the two threads do not import the same ones.
    """
    for name in _PARTS:
        import_module(name)
    _begun[:] = [_opening()]


def begun_backend() -> Callable[[], Backend]:
    """Return the function that waits for the service and raises its errors; opening begins here if it has not."""
    return (_begun.pop() if _begun else _opening()).result


def _opening() -> Future[Backend]:
    opened: Future[Backend] = Future()

    def work() -> None:
        try:
            opened.set_result(open_backend())
        except Exception as error:  # noqa: BLE001 - raised where the service is needed
            opened.set_exception(error)

    Thread(target=work, name="opening", daemon=True).start()
    return opened


def open_changes(backend: Backend) -> Changes:
    """Return the changes that the user of this command makes, recorded as `cli:USER@HOST`."""
    from qa_queue.services.changes import command_line

    return backend.changes(command_line())


def user_name() -> str:
    """Return the name of the user of this process."""
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "somebody"


def close_opened() -> None:
    """Close what the command has opened."""
    _opened.close()


def parse_env(pairs: Sequence[str] | None) -> dict[str, str]:
    """Return `["K=V"]` as a mapping.

    Raises:
        InputError: a pair has no `=` or no name.
    """
    env: dict[str, str] = {}
    for pair in pairs or ():
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise InputError(f"--env {pair!r} cannot be read: write it as --env NAME=VALUE.")
        env[name] = value
    return env


def parse_priority(text: str) -> Priority:
    """Return the priority of this name, in any case.

    Raises:
        InputError: there is no such priority.
    """
    try:
        return Priority[text.upper()]
    except KeyError:
        names = ", ".join(p.name.lower() for p in sorted(Priority, reverse=True))
        raise InputError(f"--priority {text!r} is not known: choose one of {names}.") from None
