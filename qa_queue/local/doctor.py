"""`qa-queue doctor`: the state of every part, and for each missing or broken one the command that fixes it.

Uses the real parts; changes nothing.
"""

from __future__ import annotations

import platform
import shutil
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from qa_queue.errors import BrowserMissingError, InputError, QAError
from qa_queue.errors.validation import nearest
from qa_queue.extensions import ExtensionSpec, catalogue, load_named, queue_names
from qa_queue.local import install_methods
from qa_queue.local.binaries import check_browser, find_node, node_major
from qa_queue.local.lite import find_lite, lite_version
from qa_queue.local.migrations import lacks_migrations, missing_migrations
from qa_queue.local.process import LOOPBACK, port_is_free
from qa_queue.local.redis import find_redis
from qa_queue.local.stack import needs, stack_runs, stack_variables
from qa_queue.redis import RedisClient
from qa_queue.settings import DOTENV, Settings
from qa_queue.settings.chromium import find_browser
from qa_queue.settings.redis import queue_variable
from qa_queue.store.supabase import SupabaseStore

Status = Literal["ok", "missing", "broken"]
SAFE_POLICY = "noeviction"
_MIN_FREE_GB = 1.0


@dataclass(frozen=True)
class Diagnosis:
    """The state of one part. `found` describes what exists or what is wrong; `fix` is one command, None if ok."""

    part: str
    status: Status
    found: str
    fix: str | None = None


def check(part: str, probe: Callable[[], str], fix: str, otherwise: Status = "missing") -> Diagnosis:
    """Return ok with the text that `probe` returns, or `otherwise` with the error that it raises."""
    try:
        return Diagnosis(part, "ok", probe())
    except QAError as error:
        return Diagnosis(part, otherwise, str(error), fix)


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
        return Diagnosis(".env", "ok", "does not exist; `qa-queue init` writes one with every setting")
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        return Diagnosis(".env", "broken", f"others can read {path} (mode {mode:04o})", f"chmod 600 {path}")
    return Diagnosis(".env", "ok", f"{path}, readable by its owner only")


def check_supabase(settings: Settings) -> Diagnosis:
    """Diagnose the Supabase project that the settings name: its address, its key, its tables."""

    def probe() -> str:
        store = SupabaseStore.from_settings(settings)
        try:
            store.check()
        finally:
            store.close()
        return f"{settings.supabase_url} answers, the key is accepted, the tables exist"

    return check("supabase", probe, "qa-queue migrate", otherwise="broken")


def check_redis(settings: Settings) -> list[Diagnosis]:
    """Diagnose the main Redis, those of queues that have their own, and settings that name an unknown queue."""
    client = RedisClient(settings)
    try:
        own = [name for name in queue_names() if settings.redis_url_of(name)]
        return [
            _redis_server(client, None),
            *(_redis_server(client, name) for name in own),
            *_unknown_queues(settings),
        ]
    finally:
        client.disconnect()


def check_packages() -> list[Diagnosis]:
    """Diagnose each package that adds a queue or fails to; load what its queue names, as a worker would."""
    found = catalogue()
    added = [_package(spec, found.packages[spec.name]) for spec in found.added]
    broken = [Diagnosis("package", "broken", str(one), _package_fix(one.package)) for one in found.broken]
    return added + broken


def _redis_server(client: RedisClient, queue: str | None) -> Diagnosis:
    setting = "the settings of Redis" if queue is None else queue_variable(queue)
    name = "Redis" if queue is None else f"Redis of {queue}"
    health = client.health_check(queue)
    if not health.ok:
        unset = "unset them to have one started" if queue is None else "unset it to use the main one"
        return Diagnosis("redis", "broken", health.error or "", f"correct {setting}, or {unset}")
    found = f"{name} {health.version} answers in {health.latency_ms:.1f} ms"
    connection = client.connect() if queue is None else client.connection_of(queue)
    problem = unsafe({**connection.info("server"), **connection.info("memory")}, setting)
    if problem is None:
        return Diagnosis("redis", "ok", found)
    return Diagnosis("redis", "broken", f"{found}, but {problem[0]}", problem[1])


def unsafe(info: Mapping[str, object], setting: str) -> tuple[str, str] | None:
    """Return why a Redis that answers cannot hold queues, and what to do; None if it can.

    `info` is what the server reports of itself, which may be incomplete.
    """
    if info.get("redis_mode") == "cluster":
        return "in cluster mode, which is not supported", f"use a Redis without cluster mode: correct {setting}"
    policy = info.get("maxmemory_policy", SAFE_POLICY)
    if policy == SAFE_POLICY:
        return None
    found = f"may drop jobs when its memory is full (maxmemory-policy {policy})"
    return found, f"set its maxmemory-policy to {SAFE_POLICY}"


def _unknown_queues(settings: Settings) -> list[Diagnosis]:
    known = {queue_variable(name): name for name in queue_names()}
    unknown = sorted(settings.redis_url_names - known.keys())
    return [
        Diagnosis("redis", "broken", f"{name} does not name a queue", _rename_fix(name, list(known)))
        for name in unknown
    ]


def _rename_fix(name: str, known: list[str]) -> str:
    near = nearest(name, known)
    return f"rename it to {near}" if near else f"unset it; the known names are {', '.join(known)}"


def _package(spec: ExtensionSpec, package: str) -> Diagnosis:
    if lacks_migrations(spec):
        return Diagnosis("package", "broken", f"{package}: {missing_migrations(spec)}", _package_fix(package))
    try:
        for named in (spec.processor, spec.router):
            if named is not None:
                load_named(named)
    except InputError as error:
        problem = f"{package} adds the queue {spec.name}, but {error}"
        return Diagnosis("package", "broken", problem, _package_fix(package))
    return Diagnosis("package", "ok", f"{package} adds the queue {spec.name}")


def _package_fix(package: str) -> str:
    return f"fix or upgrade the package, or: pip uninstall {package}"
