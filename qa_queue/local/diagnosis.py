"""Diagnoses of the services that the settings name and of installed packages that add queues."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from qa_queue.errors import InputError, QAError
from qa_queue.errors.validation import nearest
from qa_queue.extensions import ExtensionSpec, catalogue, load_named, queue_names
from qa_queue.local.migrations import lacks_migrations, missing_migrations
from qa_queue.redis import RedisClient
from qa_queue.settings import Settings
from qa_queue.settings.rules import queue_variable
from qa_queue.store.supabase import SupabaseStore

Status = Literal["ok", "missing", "broken"]
SAFE_POLICY = "noeviction"


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
        return [_redis(client, None), *(_redis(client, name) for name in own), *_unknown_queues(settings)]
    finally:
        client.disconnect()


def check_packages() -> list[Diagnosis]:
    """Diagnose each package that adds a queue or fails to; load what its queue names, as a worker would."""
    found = catalogue()
    added = [_package(spec, found.packages[spec.name]) for spec in found.added]
    broken = [Diagnosis("package", "broken", str(one), _package_fix(one.package)) for one in found.broken]
    return added + broken


def _redis(client: RedisClient, queue: str | None) -> Diagnosis:
    setting = "the settings of Redis" if queue is None else queue_variable(queue)
    name = "Redis" if queue is None else f"Redis of {queue}"
    health = client.health_check(queue)
    if not health.ok:
        unset = "unset them to have one started" if queue is None else "unset it to use the main one"
        return Diagnosis("redis", "broken", health.error or "", f"correct {setting}, or {unset}")
    found = f"{name} {health.version} answers in {health.latency_ms:.1f} ms"
    policy = _policy(client, queue)
    if policy in (None, SAFE_POLICY):
        return Diagnosis("redis", "ok", found)
    return Diagnosis(
        "redis",
        "broken",
        f"{found}, but may drop jobs when its memory is full (maxmemory-policy {policy})",
        f"set its maxmemory-policy to {SAFE_POLICY}",
    )


def _policy(client: RedisClient, queue: str | None) -> str | None:
    """Return the server's `maxmemory-policy`; None if it does not report one."""
    connection = client.connect() if queue is None else client.connection_of(queue)
    found: dict[str, object] = connection.info("memory")
    policy = found.get("maxmemory_policy")
    return None if policy is None else str(policy)


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
