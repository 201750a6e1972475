"""Ways to install each part on this machine: commands as data, in the order in which they are tried."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass

from qa_queue.local.files import SETUP

Command = tuple[str, ...]

NODE_FIX = SETUP
LITE_FIX = f"{SETUP}, with access to the npm registry"
_LIMIT_S = 900.0
_DOWNLOAD_LIMIT_S = 300.0  # if Playwright's download host is blocked, the command fails within seconds


@dataclass(frozen=True)
class Machine:
    """The package managers of a machine; `root` prefixes commands for root, `()` as root, None without a way."""

    apt: bool
    brew: bool
    root: Command | None


@dataclass(frozen=True)
class InstallMethod:
    """One way to install a part: commands to run in order; each must exit with 0 within `limit_s` seconds."""

    commands: tuple[Command, ...]
    limit_s: float = _LIMIT_S


def this_machine() -> Machine:
    """Describe the machine that this process runs on."""
    return Machine(shutil.which("apt-get") is not None, shutil.which("brew") is not None, _root())


def redis(machine: Machine) -> tuple[InstallMethod, ...]:
    """Return the ways to install a Redis server, for Pythons whose packages have none."""
    return (*_apt(machine, "redis-server"), *_brew(machine, "redis"))


def redis_fix(machine: Machine) -> str:
    """Return the command for a person to install Redis."""
    return "brew install redis" if machine.brew else "sudo apt-get install -y redis-server"


def browser(machine: Machine) -> tuple[InstallMethod, ...]:
    """Return the ways to install a Chromium."""
    download = InstallMethod(
        ((sys.executable, "-m", "playwright", "install", "--only-shell", "chromium"),), _DOWNLOAD_LIMIT_S
    )
    return (download, *_apt(machine, "chromium-headless-shell"))


def browser_fix(machine: Machine) -> str:
    """Return the command for a person to install a Chromium."""
    if machine.apt:
        return "sudo apt-get install -y chromium-headless-shell"
    return "playwright install --only-shell chromium"


def lite() -> tuple[InstallMethod, ...]:
    """Return the way to install Supabase Lite."""
    return (InstallMethod(((sys.executable, "-m", "qa_queue.local.lite"),)),)


def _apt(machine: Machine, package: str) -> tuple[InstallMethod, ...]:
    if not machine.apt or machine.root is None:
        return ()
    install = (*machine.root, "apt-get", "install", "-y", "--no-install-recommends", package)
    update = (*machine.root, "apt-get", "update")
    return InstallMethod((install,)), InstallMethod((update, install))


def _brew(machine: Machine, package: str) -> tuple[InstallMethod, ...]:
    return (InstallMethod((("brew", "install", package),)),) if machine.brew else ()


def _root() -> Command | None:
    """Return the prefix of commands for root; sudo asks for a password only on a terminal."""
    if os.geteuid() == 0:
        return ()
    if shutil.which("sudo") is None:
        return None
    return ("sudo",) if sys.stdin.isatty() else ("sudo", "-n")
