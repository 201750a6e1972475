"""Install what the Python packages do not bring: Supabase Lite, Redis where no wheel has it, a browser.

`python -m qa_queue.local.install` is the second half of `make setup`, and `qa-queue doctor --fix`. A part that is
there is left alone; ways to get one are tried in order, and the last word is the command for a person to run.
"""

from __future__ import annotations

import os
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
from qa_queue.local.browser import check_browser
from qa_queue.local.files import private_folder
from qa_queue.local.install_methods import InstallMethod
from qa_queue.local.node import find_node
from qa_queue.local.project import ROOT
from qa_queue.local.redis import find_redis
from qa_queue.local.supabase import check_lite
from qa_queue.settings import HOME, Settings, child_environment, load_settings

_TAIL_LINES = 15


@dataclass(frozen=True)
class InstallPart:
    """Something to install: `look` says where it is, or raises a QAError while it is missing."""

    name: str
    look: Callable[[], object]
    ways: tuple[InstallMethod, ...]
    mend: str


@dataclass(frozen=True)
class InstallOutcome:
    """What became of a part; `mend` is for a person to run, None where the part is there."""

    part: str
    said: str
    mend: str | None = None


def parts(settings: Settings) -> tuple[InstallPart, ...]:
    """Everything that may have to be installed, in order."""
    machine = install_methods.this_machine()
    return (
        InstallPart("node", find_node, (), install_methods.NODE_MEND),
        InstallPart("supabase lite", check_lite, install_methods.lite(), install_methods.LITE_MEND),
        InstallPart("redis", find_redis, install_methods.redis(machine), install_methods.redis_mend(machine)),
        InstallPart(
            "browser",
            lambda: check_browser(settings),
            install_methods.browser(machine),
            install_methods.browser_mend(machine),
        ),
    )


def ensure(part: InstallPart, log: Path) -> InstallOutcome:
    """Have the part: as it is, else by the first way that works. The commands' output goes to `log`."""
    missing = _missing(part)
    for way in part.ways if missing else ():
        if _go(way, log) and not (missing := _missing(part)):
            break
    return InstallOutcome(part.name, missing, part.mend) if missing else InstallOutcome(part.name, str(part.look()))


def main() -> int:
    """Install every missing part, a line each; exit code 3 if one stays missing."""
    out = Console(highlight=False, soft_wrap=True)
    log = private_folder(HOME) / "setup.log"
    failed = False
    for part in parts(load_settings()):
        started = time.monotonic()
        outcome = ensure(part, log)
        took = time.monotonic() - started
        if outcome.mend is None:
            out.print(f"  {part.name:<14} {escape(outcome.said)}  ({took:.0f} s)")
            continue
        failed = True
        out.print(f"  {part.name:<14} [red]missing[/]: {escape(outcome.said)}")
        out.print(f"  {'mend':<14} {escape(outcome.mend)}")
        out.print(escape(_tail(log)))
    return 3 if failed else 0


def _missing(part: InstallPart) -> str | None:
    """Why the part cannot be used; None if it can."""
    try:
        part.look()
    except QAError as error:
        return str(error)
    return None


def _go(way: InstallMethod, log: Path) -> bool:
    return all(_run(command, way.limit, log) for command in way.commands)


def _run(command: tuple[str, ...], limit: float, log: Path) -> bool:
    """Whether the command ended well within `limit` seconds."""
    with log.open("ab") as output:
        output.write(f"\n$ {' '.join(command)}\n".encode())
        output.flush()
        try:
            done = subprocess.run(  # noqa: S603 - the commands are our own
                command,
                cwd=ROOT,
                env=_environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=limit,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            output.write(f"{error}\n".encode())
            return False
    return done.returncode == 0


def _environment() -> dict[str, str]:
    """apt must not ask, Node must trust what the system trusts; this Python's own commands come first."""
    found = child_environment({"DEBIAN_FRONTEND": "noninteractive", "NODE_USE_SYSTEM_CA": "1"})
    return found | {"PATH": os.pathsep.join([str(Path(sys.executable).parent), found.get("PATH", os.defpath)])}


def _tail(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.exists() else []
    return "\n".join([f"  the end of {log}:", *(f"    {line}" for line in lines[-_TAIL_LINES:])])


if __name__ == "__main__":
    sys.exit(main())
