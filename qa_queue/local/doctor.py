"""What is there, what is missing, and the one command that mends it. Looks at real parts; changes nothing."""

from __future__ import annotations

import platform
import shutil
import stat
from pathlib import Path

from qa_queue.browser_path import find_browser
from qa_queue.errors import BrowserMissingError
from qa_queue.local import ways
from qa_queue.local.browser import check_browser
from qa_queue.local.findings import Finding, finding
from qa_queue.local.node import find_node, node_major
from qa_queue.local.packages import check_packages
from qa_queue.local.process import LOOPBACK, port_is_free
from qa_queue.local.redis import find_redis
from qa_queue.local.redis_findings import redis_findings
from qa_queue.local.stack import needs, stack_runs, stack_variables
from qa_queue.local.supabase import find_lite, lite_version
from qa_queue.settings import DOTENV, Settings
from qa_queue.store.supabase import SupabaseStore

_LEAST_FREE_GB = 1.0


def diagnose(settings: Settings) -> list[Finding]:
    """Look at every part that the service stands on."""
    machine = ways.this_machine()
    running = stack_runs(settings)
    left_over = {} if running else stack_variables(settings.qa_home)
    wanted = needs(settings, left_over)
    return [
        Finding("python", "ok", f"{platform.python_version()} on {platform.platform(terse=True)}"),
        *(_redis(machine) if wanted.redis else redis_findings(settings)),
        *(_lite() if wanted.supabase else [_supabase_server(settings)]),
        _browser(settings, ways.browser_mend(machine)),
        _disk(settings.qa_home),
        *([] if running else _ports(settings)),
        _dotenv(DOTENV),
        *check_packages(),
    ]


def _redis(machine: ways.Machine) -> list[Finding]:
    return [finding("redis", _redis_binary, ways.redis_mend(machine))]


def _redis_binary() -> str:
    return f"none configured; {find_redis()} will be started"


def _lite() -> list[Finding]:
    return [
        finding("node", _node, ways.NODE_MEND),
        finding("supabase", _lite_package, ways.LITE_MEND),
    ]


def _node() -> str:
    node = find_node()
    return f"Node {node_major(node)} at {node}"


def _lite_package() -> str:
    return f"none configured; Supabase Lite {lite_version()} at {find_lite().parents[2]} will be started"


def _supabase_server(settings: Settings) -> Finding:
    return finding("supabase", lambda: _check_store(settings), "qa-queue migrate", otherwise="broken")


def _check_store(settings: Settings) -> str:
    store = SupabaseStore.from_settings(settings)
    try:
        store.check()
    finally:
        store.close()
    return f"{settings.supabase_url} answers, the key is good, the tables are there"


def _browser(settings: Settings, mend: str) -> Finding:
    try:
        find_browser(settings)
    except BrowserMissingError as error:
        return Finding("browser", "missing", str(error), mend)
    return finding("browser", lambda: check_browser(settings), mend, otherwise="broken")


def _disk(home: Path) -> Finding:
    folder = next(path for path in (home.resolve(), *home.resolve().parents) if path.exists())
    free = shutil.disk_usage(folder).free / 1e9
    said = f"{free:.1f} GB free in {folder}"
    if free >= _LEAST_FREE_GB:
        return Finding("disk", "ok", said)
    return Finding("disk", "broken", f"only {said}; evidence needs {_LEAST_FREE_GB:g}", "qa-queue cleanup")


def _ports(settings: Settings) -> list[Finding]:
    ports = {"QA_WEB_PORT": settings.qa_web_port, "QA_DASHBOARD_PORT": settings.qa_dashboard_port}
    return [_port(name, port) for name, port in ports.items()]


def _port(name: str, port: int) -> Finding:
    if port_is_free(port):
        return Finding("port", "ok", f"{name}={port} is free on {LOOPBACK}")
    return Finding("port", "broken", f"{name}={port} is in use on {LOOPBACK}", f"set {name} to another port")


def _dotenv(path: Path) -> Finding:
    if not path.exists():
        return Finding(".env", "ok", "none; `.env.example` lists what can be set")
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        return Finding(".env", "broken", f"others can read {path} (mode {mode:04o})", f"chmod 600 {path}")
    return Finding(".env", "ok", f"{path}, for its owner alone")
