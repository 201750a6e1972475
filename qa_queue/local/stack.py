"""The embedded stack of a folder: the servers that the settings do not name, started, stopped and migrated.

While a stack runs, `stack.env` in the home folder holds its URLs and its key; `qa_queue.settings` reads that file
with the lowest precedence. Start a stack from a thread that runs as long as the stack (see `die_with_parent`).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

from dotenv import dotenv_values

from qa_queue.errors import StackError, StoreSchemaError
from qa_queue.local.files import stored_secret, write_private
from qa_queue.local.lite import Say, ensure_lite
from qa_queue.local.migrations import migration_files, migration_folders
from qa_queue.local.process import LocalServer, SilenceWatch, free_port
from qa_queue.local.project import linked_cli, migrate_database, push_with_cli
from qa_queue.local.redis import launch_redis
from qa_queue.local.stack_lock import StackLock, is_held
from qa_queue.local.supabase import launch_supabase, migrate_data
from qa_queue.models.values import exponential
from qa_queue.redis.rq_options import rq_url
from qa_queue.redis.servers import main_server
from qa_queue.settings import STACK_ENV, Settings, with_overrides
from qa_queue.store.supabase import SupabaseStore

log = logging.getLogger(__name__)

_RESTART_CAP_MS = 8000  # the longest pause before a server that keeps ending is started again
_STABLE_S = 60.0  # for which a server has run, after which its next restart is the first again
_SILENT_S = 60.0  # without an answer, after which a server is killed
_REDIS_FIELDS = frozenset({"redis_url", "redis_host", "redis_port"})


@dataclass(frozen=True)
class Needs:
    """The parts that the settings do not name."""

    redis: bool
    supabase: bool


def needs(settings: Settings, stale: dict[str, str]) -> Needs:
    """Return the parts to start; URLs of `stale`, the `stack.env` that a killed stack left, do not count."""
    named = settings.model_fields_set
    redis_is_stale = settings.redis_url is not None and settings.redis_url == stale.get("REDIS_URL")
    supabase_is_stale = settings.supabase_url is not None and settings.supabase_url == stale.get("SUPABASE_URL")
    return Needs(
        redis=settings.redis_sentinels is None and (redis_is_stale or not named & _REDIS_FIELDS),
        supabase=supabase_is_stale or settings.supabase_url is None,
    )


class Stack:
    """The servers of one folder. A context manager: starts them on entry, stops them on exit.

    `say` receives lines about what takes long.
    """

    def __init__(self, settings: Settings, say: Say = log.info) -> None:
        self._given = settings
        self._say = say
        self._settings = settings
        self._home = settings.qa_home.resolve()
        self._lock = StackLock(self._home)
        self._servers: list[LocalServer] = []
        self._launchers: dict[str, Callable[[], LocalServer]] = {}  # by the name of the server's process
        self._restarts: dict[str, int] = {}
        self._restart_at: dict[str, float] = {}
        self._started_at: dict[str, float] = {}
        self._watch = SilenceWatch(lambda: self.servers)
        self._own: dict[str, str] = {}

    @property
    def settings(self) -> Settings:
        """The given settings with the URLs and the key of the stack."""
        return self._settings

    @property
    def servers(self) -> tuple[LocalServer, ...]:
        """The servers that the stack started."""
        return tuple(self._servers)

    def start(self) -> Self:
        """Start what is needed and wait until it answers.

        Raises:
            StackError: another stack runs in this folder, a part is missing, or one did not answer in time; every
                server that was started has been stopped.
        """
        self._lock.acquire()
        try:
            self._launch(needs(self._given, stack_variables(self._home)))
            for server in self._servers:
                server.wait_until_ready()
            write_private(self._home / STACK_ENV, _as_dotenv(self._own))
            self._watch.start()
        except BaseException:  # an interrupt too must leave no process behind
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Stop the servers in reverse order; do nothing if the stack does not run."""
        if not self._lock.acquired:
            return
        self._watch.stop()
        (self._home / STACK_ENV).unlink(missing_ok=True)
        while self._servers:
            self._servers.pop().stop()
        self._lock.release()

    def check(self) -> None:
        """Start each server that has ended again on its port, after a pause that grows with each failure.

        One that does not answer for a minute is killed first.
        """
        now = time.monotonic()
        for place, server in enumerate(self._servers):
            name = server.service.name
            if server.service.running:
                self._end_if_silent(server)
                continue
            if name not in self._restart_at:
                delay = self._restart_delay(name)
                self._restart_at[name] = now + delay
                code = server.service.popen.returncode
                self._say(f"{name} ended with code {code}; restarting it in {delay:.0f} s")
            elif now >= self._restart_at[name]:
                del self._restart_at[name]
                self._restart(place, name)

    def _end_if_silent(self, server: LocalServer) -> None:
        if (silence := self._watch.silent_for(server)) > _SILENT_S:
            self._say(f"{server.service.name} has not answered for {silence:.0f} s; it is killed")
            server.service.popen.kill()

    def _restart(self, place: int, name: str) -> None:
        self._started_at[name] = time.monotonic()
        try:
            self._servers[place] = self._launchers[name]()
            self._lock.record([started.pid for started in self._servers])
        except (StackError, OSError) as error:  # a full disk, for example; it is tried again
            self._say(f"{name} could not be restarted: {error}")

    def _restart_delay(self, name: str) -> float:
        if time.monotonic() - self._started_at[name] > _STABLE_S:
            self._restarts[name] = 0
        self._restarts[name] = self._restarts.get(name, 0) + 1
        return exponential(self._restarts[name], jitter=1, base_ms=1000, cap_ms=_RESTART_CAP_MS) / 1000

    def environment(self) -> dict[str, str]:
        """Return the variables by which child processes, RQ's own commands included, find Redis and Supabase."""
        return (
            redis_variables(self._settings)
            | supabase_variables(self._settings)
            | self._own
            | {"QA_HOME": str(self._home)}
        )

    def _launch(self, needed: Needs) -> None:
        if needed.redis:
            redis = self._started(partial(launch_redis, self._home / "redis", port=free_port()))
            self._settings = with_overrides(self._settings, redis_url=redis.url)
            self._own |= redis_variables(self._settings)
        given, own = self._given.qa_state_key, stored_secret(self._home / "state.key")
        if given is None or given.get_secret_value() == own:  # in the stack.env that a killed stack left
            self._own["QA_STATE_KEY"] = own
        if needed.supabase:
            ensure_lite(self._say)
            folders, port = migration_folders(), free_port()
            supabase = self._started(
                partial(launch_supabase, self._home / "supabase", port=port, migrations=folders)
            )
            self._settings = with_overrides(
                self._settings, supabase_url=supabase.url, supabase_secret_key=supabase.key
            )
            self._own |= supabase_variables(self._settings)

    def _started(self, launch: Callable[[], LocalServer]) -> LocalServer:
        server = launch()
        self._launchers[server.service.name] = launch
        self._started_at[server.service.name] = time.monotonic()
        self._servers.append(server)
        self._lock.record([started.pid for started in self._servers])
        return server

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self.stop()


def stack_runs(settings: Settings) -> bool:
    """Return whether a stack runs in the home folder."""
    return is_held(settings.qa_home.resolve())


def stack_variables(home: Path) -> dict[str, str]:
    """Return the variables in this folder's `stack.env`, which a killed stack leaves behind."""
    return {name: value for name, value in dotenv_values(home / STACK_ENV).items() if value is not None}


def redis_variables(settings: Settings) -> dict[str, str]:
    """Return the variables by which qa-queue and RQ's commands find Redis; none if Redis is behind Sentinels."""
    server = main_server(settings)
    if server.sentinels is not None:
        return {}
    return {"REDIS_URL": server.url, "RQ_REDIS_URL": rq_url(server)}


def supabase_variables(settings: Settings) -> dict[str, str]:
    """Return the variables by which qa-queue finds Supabase, without those that are not set."""
    key = settings.supabase_secret_key
    found = {"SUPABASE_URL": settings.supabase_url, "SUPABASE_SECRET_KEY": key and key.get_secret_value()}
    return {name: value for name, value in found.items() if value}


def migrate(settings: Settings, say: Say = log.info) -> Iterator[str]:
    """Migrate the embedded database or the user's own project; yield lines about the result.

    A project is migrated through the Supabase CLI where the working folder is linked to it, otherwise through
    SUPABASE_DB_URL. Without either, its tables are checked.

    Raises:
        StackError: a migration failed, or a stack runs in the folder.
        StoreSchemaError: a migration failed, or the project lacks tables; the message says how to create them.
        StoreError: the project cannot be reached or refused the key.
        InputError: the extra for SUPABASE_DB_URL is not installed, or it is not a URL.
    """
    files = migration_files(migration_folders())
    stale = {} if stack_runs(settings) else stack_variables(settings.qa_home)
    if settings.supabase_db_url is not None:
        yield from migrate_database(settings.supabase_db_url.get_secret_value(), files)
    elif needs(settings, stale).supabase:
        yield from _migrate_embedded(settings, say)
    elif cli := linked_cli():
        yield from push_with_cli(cli, files)
    else:
        yield from _check_project(settings)


def _migrate_embedded(settings: Settings, say: Say) -> Iterator[str]:
    """Migrate under the stack's lock, because two processes must never use the data folder."""
    ensure_lite(say)
    home = settings.qa_home.resolve()
    lock = StackLock(home)
    lock.acquire()
    try:
        changed = migrate_data(home / "supabase", migrations=migration_folders())
    finally:
        lock.release()
    yield f"The embedded database in {home / 'supabase'} {'is now' if changed else 'was already'} up to date."


def _check_project(settings: Settings) -> Iterator[str]:
    """Check the tables; only the project's owner can create them, because the secret key cannot."""
    store = SupabaseStore.from_settings(settings)
    try:
        store.check()
    except StoreSchemaError as error:
        raise StoreSchemaError(f"{error}\n{_migration_advice(settings)}") from error
    finally:
        store.close()
    yield f"The tables in {settings.supabase_url} are up to date."


def _migration_advice(settings: Settings) -> str:
    if settings.supabase_url == stack_variables(settings.qa_home).get("SUPABASE_URL"):
        return "The embedded database is migrated when it starts: stop `qa-queue up` and start it again."
    return (
        "Set SUPABASE_DB_URL to the project's database URL and run `qa-queue migrate`; or run it in a folder that "
        "`supabase link` has linked to the project; or paste the output of `qa-queue migrate --print` into the "
        "project's SQL editor."
    )


def _as_dotenv(variables: dict[str, str]) -> str:
    return "".join(f"{name}={value}\n" for name, value in variables.items())
