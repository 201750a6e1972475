"""`qa-queue doctor`: the state of every part, and for each missing or broken one the command that fixes it.

Uses the real parts; changes nothing.
"""

from __future__ import annotations

import platform
import shutil
import stat
from pathlib import Path

from qa_queue.errors import BrowserMissingError
from qa_queue.local import install_methods
from qa_queue.local.binaries import check_browser, find_node, node_major
from qa_queue.local.diagnosis import Diagnosis, check, check_packages, check_redis, check_supabase
from qa_queue.local.lite import find_lite, lite_version
from qa_queue.local.process import LOOPBACK, port_is_free
from qa_queue.local.redis import find_redis
from qa_queue.local.stack import needs, stack_runs, stack_variables
from qa_queue.settings import DOTENV, Settings
from qa_queue.settings.chromium import find_browser

_MIN_FREE_GB = 1.0


def diagnose(settings: Settings) -> list[Diagnosis]:
    """Diagnose every part that the service needs."""
    machine = install_methods.this_machine()
    running = stack_runs(settings)
    stale = {} if running else stack_variables(settings.qa_home)
    needed = needs(settings, stale)
    return [
        Diagnosis("python", "ok", f"{platform.python_version()} on {platform.platform(terse=True)}"),
        *([_redis(machine)] if needed.redis else check_redis(settings)),
        *(_lite() if needed.supabase else [check_supabase(settings)]),
        _browser(settings, install_methods.browser_fix(machine)),
        _disk(settings.qa_home),
        *([] if running else _ports(settings)),
        _dotenv(DOTENV),
        *check_packages(),
    ]


def _redis(machine: install_methods.Machine) -> Diagnosis:
    return check(
        "redis",
        lambda: f"not configured; {find_redis()} will be started",
        install_methods.redis_fix(machine),
    )


def _lite() -> list[Diagnosis]:
    return [
        check("node", _node, install_methods.NODE_FIX),
        check("supabase", _lite_package, install_methods.LITE_FIX),
    ]


def _node() -> str:
    node = find_node()
    return f"Node {node_major(node)} at {node}"


def _lite_package() -> str:
    return f"not configured; Supabase Lite {lite_version()} at {find_lite().parents[2]} will be started"


def _browser(settings: Settings, fix: str) -> Diagnosis:
    try:
        find_browser(settings)
    except BrowserMissingError as error:
        return Diagnosis("browser", "missing", str(error), fix)
    return check("browser", lambda: check_browser(settings), fix, otherwise="broken")


def _disk(home: Path) -> Diagnosis:
    folder = next(path for path in (home.resolve(), *home.resolve().parents) if path.exists())
    free = shutil.disk_usage(folder).free / 1e9
    found = f"{free:.1f} GB free in {folder}"
    if free >= _MIN_FREE_GB:
        return Diagnosis("disk", "ok", found)
    return Diagnosis("disk", "broken", f"only {found}; artifacts need {_MIN_FREE_GB:g} GB", "qa-queue cleanup")


def _ports(settings: Settings) -> list[Diagnosis]:
    ports = {"QA_WEB_PORT": settings.qa_web_port, "QA_DASHBOARD_PORT": settings.qa_dashboard_port}
    return [_port(name, port) for name, port in ports.items()]


def _port(name: str, port: int) -> Diagnosis:
    if port_is_free(port):
        return Diagnosis("port", "ok", f"{name}={port} is free on {LOOPBACK}")
    return Diagnosis("port", "broken", f"{name}={port} is in use on {LOOPBACK}", f"set {name} to another port")


def _dotenv(path: Path) -> Diagnosis:
    if not path.exists():
        return Diagnosis(".env", "ok", "does not exist; `.env.example` lists what can be set")
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        return Diagnosis(".env", "broken", f"others can read {path} (mode {mode:04o})", f"chmod 600 {path}")
    return Diagnosis(".env", "ok", f"{path}, readable by its owner only")
