"""What is there, what is missing, and the one command that mends it. Looks at real parts; changes nothing."""

from __future__ import annotations

import platform
import shutil
import stat
from pathlib import Path

from qa_queue.errors import BrowserMissingError
from qa_queue.local import install_methods
from qa_queue.local.browser import check_browser
from qa_queue.local.diagnosis import Diagnosis, diagnosis
from qa_queue.local.node import find_node, node_major
from qa_queue.local.packages import check_packages
from qa_queue.local.process import LOOPBACK, port_is_free
from qa_queue.local.redis import find_redis
from qa_queue.local.redis_findings import redis_findings
from qa_queue.local.stack import needs, stack_runs, stack_variables
from qa_queue.local.supabase import find_lite, lite_version
from qa_queue.settings import DOTENV, Settings
from qa_queue.settings.chromium import find_browser
from qa_queue.store.supabase import SupabaseStore

_LEAST_FREE_GB = 1.0


def diagnose(settings: Settings) -> list[Diagnosis]:
    """Look at every part that the service stands on."""
    machine = install_methods.this_machine()
    running = stack_runs(settings)
    left_over = {} if running else stack_variables(settings.qa_home)
    wanted = needs(settings, left_over)
    return [
        Diagnosis("python", "ok", f"{platform.python_version()} on {platform.platform(terse=True)}"),
        *(_redis(machine) if wanted.redis else redis_findings(settings)),
        *(_lite() if wanted.supabase else [_supabase_server(settings)]),
        _browser(settings, install_methods.browser_mend(machine)),
        _disk(settings.qa_home),
        *([] if running else _ports(settings)),
        _dotenv(DOTENV),
        *check_packages(),
    ]


def _redis(machine: install_methods.Machine) -> list[Diagnosis]:
    return [diagnosis("redis", _redis_binary, install_methods.redis_mend(machine))]


def _redis_binary() -> str:
    return f"none configured; {find_redis()} will be started"


def _lite() -> list[Diagnosis]:
    return [
        diagnosis("node", _node, install_methods.NODE_MEND),
        diagnosis("supabase", _lite_package, install_methods.LITE_MEND),
    ]


def _node() -> str:
    node = find_node()
    return f"Node {node_major(node)} at {node}"


def _lite_package() -> str:
    return f"none configured; Supabase Lite {lite_version()} at {find_lite().parents[2]} will be started"


def _supabase_server(settings: Settings) -> Diagnosis:
    return diagnosis("supabase", lambda: _check_store(settings), "qa-queue migrate", otherwise="broken")


def _check_store(settings: Settings) -> str:
    store = SupabaseStore.from_settings(settings)
    try:
        store.check()
    finally:
        store.close()
    return f"{settings.supabase_url} answers, the key is good, the tables are there"


def _browser(settings: Settings, mend: str) -> Diagnosis:
    try:
        find_browser(settings)
    except BrowserMissingError as error:
        return Diagnosis("browser", "missing", str(error), mend)
    return diagnosis("browser", lambda: check_browser(settings), mend, otherwise="broken")


def _disk(home: Path) -> Diagnosis:
    folder = next(path for path in (home.resolve(), *home.resolve().parents) if path.exists())
    free = shutil.disk_usage(folder).free / 1e9
    said = f"{free:.1f} GB free in {folder}"
    if free >= _LEAST_FREE_GB:
        return Diagnosis("disk", "ok", said)
    return Diagnosis("disk", "broken", f"only {said}; evidence needs {_LEAST_FREE_GB:g}", "qa-queue cleanup")


def _ports(settings: Settings) -> list[Diagnosis]:
    ports = {"QA_WEB_PORT": settings.qa_web_port, "QA_DASHBOARD_PORT": settings.qa_dashboard_port}
    return [_port(name, port) for name, port in ports.items()]


def _port(name: str, port: int) -> Diagnosis:
    if port_is_free(port):
        return Diagnosis("port", "ok", f"{name}={port} is free on {LOOPBACK}")
    return Diagnosis("port", "broken", f"{name}={port} is in use on {LOOPBACK}", f"set {name} to another port")


def _dotenv(path: Path) -> Diagnosis:
    if not path.exists():
        return Diagnosis(".env", "ok", "none; `.env.example` lists what can be set")
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        return Diagnosis(".env", "broken", f"others can read {path} (mode {mode:04o})", f"chmod 600 {path}")
    return Diagnosis(".env", "ok", f"{path}, for its owner alone")
