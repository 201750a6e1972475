"""Install what the Python packages lack: Supabase Lite, Redis if no package has it, a browser.

`qa-queue install` does this, and `make setup` in its second half. A part that works is left alone. For another
one the methods are tried in order; if all fail, the command for a person to run is printed.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from qa_queue.errors import QAError
from qa_queue.local import install_methods
from qa_queue.local.binaries import check_browser, find_node
from qa_queue.local.files import private_folder
from qa_queue.local.install_methods import InstallMethod
from qa_queue.local.lite import check_lite, npm_environment
from qa_queue.local.redis import find_redis
from qa_queue.settings import HOME, Settings, load_settings

_TAIL_LINES = 15


@dataclass(frozen=True)
class InstallPart:
    """A part to install. `probe` returns where it is or raises a QAError; `fix` is the command for a person."""

    name: str
    probe: Callable[[], object]
    methods: tuple[InstallMethod, ...]
    fix: str


@dataclass(frozen=True)
class InstallOutcome:
    """The state of a part after installing. `found` is where it is, or the problem; `fix` is None if it works."""

    part: str
    found: str
    fix: str | None = None


def parts(settings: Settings) -> tuple[InstallPart, ...]:
    """Return every part that may have to be installed, in order."""
    machine = install_methods.this_machine()
    return (
        InstallPart("node", find_node, (), install_methods.NODE_FIX),
        InstallPart("supabase lite", check_lite, install_methods.lite(), install_methods.LITE_FIX),
        InstallPart("redis", find_redis, install_methods.redis(machine), install_methods.redis_fix(machine)),
        InstallPart(
            "browser",
            lambda: check_browser(settings),
            install_methods.browser(machine),
            install_methods.browser_fix(machine),
        ),
    )


def ensure(part: InstallPart, log: Path) -> InstallOutcome:
    """Install the part, unless it works, by the first method that succeeds; commands print to the file `log`."""
    problem = _problem(part)
    for method in part.methods if problem else ():
        if _apply(method, log) and not (problem := _problem(part)):
            break
    return InstallOutcome(part.name, problem, part.fix) if problem else InstallOutcome(part.name, str(part.probe()))


def main() -> int:
    """Install every missing part and print a line for each; return 3 if one is still missing."""
    out = Console(highlight=False, soft_wrap=True)
    log = private_folder(HOME) / "setup.log"
    failed = False
    for part in parts(load_settings()):
        started = time.monotonic()
        outcome = ensure(part, log)
        took = time.monotonic() - started
        if outcome.fix is None:
            out.print(f"  {part.name:<14} {escape(outcome.found)}  ({took:.0f} s)")
            continue
        failed = True
        out.print(f"  {part.name:<14} [red]missing[/]: {escape(outcome.found)}")
        out.print(f"  {'to fix':<14} {escape(outcome.fix)}")
        out.print(escape(_tail(log)))
    return 3 if failed else 0


def _problem(part: InstallPart) -> str | None:
    """Return why the part cannot be used; None if it can."""
    try:
        part.probe()
    except QAError as error:
        return str(error)
    return None


def _apply(method: InstallMethod, log: Path) -> bool:
    return all(_run(command, method.limit_s, log) for command in method.commands)


def _run(command: tuple[str, ...], limit_s: float, log: Path) -> bool:
    """Return whether the command exits with 0 within `limit_s` seconds."""
    with log.open("ab") as output:
        output.write(f"\n$ {' '.join(command)}\n".encode())
        output.flush()
        try:
            done = subprocess.run(  # noqa: S603 - the commands are our own
                command,
                env=_environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=limit_s,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            output.write(f"{error}\n".encode())
            return False
    return done.returncode == 0


def _environment() -> dict[str, str]:
    """Return variables: those of npm, and apt never asks."""
    return npm_environment() | {"DEBIAN_FRONTEND": "noninteractive"}


def _tail(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.exists() else []
    return "\n".join([f"  the end of {log}:", *(f"    {line}" for line in lines[-_TAIL_LINES:])])


if __name__ == "__main__":
    sys.exit(main())
