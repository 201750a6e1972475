"""The `qa-queue` program: its commands, each loaded when it is used, and the exit codes of errors."""

from __future__ import annotations

import errno
import gc
import sys
from collections.abc import Iterator, Mapping
from importlib import import_module
from shutil import get_terminal_size
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from qa_queue.cli.interrupts import raise_on_interrupt
from qa_queue.errors import CaseError, InfrastructureError, InputError, ItemsError, PayloadError, QAError

_LACKING = {errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.EIO, errno.EROFS}
_PATH_SHOWN = 200  # characters

# The modules of this package with their commands, in the order of the help. A module's `app` declares the rest.
MODULES: Mapping[str, tuple[str, ...]] = {
    "run": ("run", "watch"),
    "runs": ("runs", "show", "artifacts"),
    "control": ("cancel", "rerun", "pin", "unpin", "place"),
    "reports": ("report", "trace"),
    "batches": ("batch",),
    "schedules": ("schedule",),
    "cases": ("check", "schema", "import"),
    "stored_cases": ("case",),
    "adaptations": ("adaptations",),
    "queues": ("stats", "pause", "resume", "clean", "limits"),
    "dead_letters": ("dlq",),
    "jobs": ("job", "events", "cleanup", "learn"),
    "service": ("init", "install", "up", "doctor", "migrate", "web", "dashboard", "shop"),
    "worker": ("worker",),
    "alerts": ("health", "alerts"),
    "tokens": ("token",),
    "audit": ("audit",),
    "demo": ("demo",),
}

_OPENS = "run"  # the command whose modules are imported while the service is opened
_ERROR = "error: "


class LazyCommands(Mapping[str, Any]):
    """Commands by name; the module of a command is imported when the command is looked up."""

    def __init__(self, modules: Mapping[str, tuple[str, ...]]) -> None:
        self._modules = {name: module for module, names in modules.items() for name in names}
        self._loaded: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._loaded:
            module = import_module(f"qa_queue.cli.{self._modules[name]}")
            self._loaded |= typer.main.get_group(module.app).commands
        return self._loaded[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._modules)

    def __len__(self) -> int:
        return len(self._modules)


class LazyGroup(TyperGroup):
    """A group of commands that imports only those that are used."""

    def __init__(self, **attrs: Any) -> None:
        super().__init__(**attrs)
        self.commands = LazyCommands(MODULES)  # type: ignore[assignment] # Typer only reads them

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return the command that the words name; once its module is imported, Ctrl-C can be handled."""
        if args[:1] == [_OPENS] and "--help" not in args:
            from qa_queue.cli.options import begin_opening

            begin_opening()
        found = super().resolve_command(ctx, args)
        raise_on_interrupt()
        return found


app = typer.Typer(
    name="qa-queue",
    cls=LazyGroup,
    help="Browser tests on your own machines: queued, run in parallel, with evidence kept.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)


def _version(wanted: bool) -> None:
    if wanted:
        from qa_queue import __version__

        typer.echo(f"qa-queue {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    _: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Options of every command."""


def problems_of(error: QAError) -> tuple[str, ...]:
    """Return the problems of an error, each for a line of its own; an error without a list of its own is one."""
    match error:
        case ItemsError():
            return tuple(line for fault in error.faults.values() for line in problems_of(fault))
        case CaseError(problems=problems) | PayloadError(problems=problems) if problems:
            return problems
        case _:
            return (str(error),)


def file_problem(error: OSError) -> QAError:
    """Return the error of the user for a path that cannot be used, that of the machine if it lacks something."""
    path = str(error.filename)
    shown = path if len(path) <= _PATH_SHOWN else f"{path[:_PATH_SHOWN]}..."
    kind = InfrastructureError if error.errno in _LACKING else InputError
    return kind(f"{shown}: cannot be used: {error.strerror}")


def run_command_line() -> None:
    """Run the command line and exit with its code.

    Raises:
        KeyboardInterrupt: Ctrl-C ended it.
    """
    gc.set_threshold(50_000, 20, 20)  # most objects of imports stay: looking through them takes time
    sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type] # its command line loads Click and Pygments
    try:
        app()
    except QAError as error:
        sys.exit(_report(error))
    except BrokenPipeError:  # `qa-queue runs | head`
        sys.stderr.close()
        sys.exit(0)
    except OSError as error:
        if error.filename is None:
            raise
        sys.exit(_report(file_problem(error)))
    finally:
        _close()
        gc.freeze()  # the end of the process frees everything: no need to look through it once more


def _report(error: QAError) -> int:
    """Print the problems of an error, and return its exit code."""
    from qa_queue.cli.render import wrapped
    from qa_queue.errors.validation import printable
    from qa_queue.models.outcomes import outcome_of

    for problem in problems_of(error):
        text = printable(problem)
        if sys.stderr.isatty():
            text = wrapped(f"{_ERROR}{text}", get_terminal_size().columns).removeprefix(_ERROR)
        typer.secho(_ERROR, fg=typer.colors.RED, bold=True, nl=False, err=True)
        typer.echo(text, err=True)
    return outcome_of(error).exit_code


def _close() -> None:
    """Close what the command has opened, if it has opened anything."""
    if options := sys.modules.get("qa_queue.cli.options"):
        options.close_opened()
