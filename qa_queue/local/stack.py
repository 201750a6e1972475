"""The embedded stack of a folder: starts what the settings do not name, tells the folder's commands, stops it.

While it runs, `stack.env` in the home folder holds the URLs and the key; `qa_queue.settings` reads it as its least
source. Start it from a thread that lives as long as the stack (see `die_with_parent`).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from dotenv import dotenv_values

from qa_queue.local.files import write_private
from qa_queue.local.migrations import every_folder
from qa_queue.local.redis import launch_redis
from qa_queue.local.server import LocalServer
from qa_queue.local.stack_lock import StackRecord, held
from qa_queue.local.supabase import launch_supabase
from qa_queue.redis.rq_options import rq_url
from qa_queue.redis.servers import main_server
from qa_queue.settings import STACK_ENV, Settings, with_overrides

_REDIS_FIELDS = frozenset({"redis_url", "redis_host", "redis_port"})


@dataclass(frozen=True)
class Needs:
    """Which parts the settings do not name."""

    redis: bool
    supabase: bool


def needs(settings: Settings, left_over: dict[str, str]) -> Needs:
    """What has to be started; an URL that only a killed stack's `stack.env` names (`left_over`) does not count."""
    named = settings.model_fields_set
    redis_is_stale = settings.redis_url is not None and settings.redis_url == left_over.get("REDIS_URL")
    supabase_is_stale = settings.supabase_url is not None and settings.supabase_url == left_over.get("SUPABASE_URL")
    return Needs(
        redis=settings.redis_sentinels is None and (redis_is_stale or not named & _REDIS_FIELDS),
        supabase=supabase_is_stale or settings.supabase_url is None,
    )


class Stack:
    """The servers of one folder. A context manager: starts on entry, stops on exit."""

    def __init__(self, settings: Settings) -> None:
        self._given = settings
        self._settings = settings
        self._home = settings.qa_home.resolve()
        self._record = StackRecord(self._home)
        self._servers: list[LocalServer] = []
        self._own: dict[str, str] = {}

    @property
    def settings(self) -> Settings:
        """The settings with the stack's own URLs and key in them."""
        return self._settings

    @property
    def servers(self) -> tuple[LocalServer, ...]:
        """What was started, for those who watch over it."""
        return tuple(self._servers)

    def start(self) -> Self:
        """Start what is needed and wait until it answers.

        Raises:
            StackError: another stack runs in this folder, a part is missing, or one did not come up; whatever
                was started has been stopped.
        """
        self._record.take()
        try:
            self._launch(needs(self._given, stack_variables(self._home)))
            for server in self._servers:
                server.wait_until_ready()
            write_private(self._home / STACK_ENV, _as_dotenv(self._own))
        except BaseException:  # an interrupt too must leave nothing running
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Stop what was started, the last first; does nothing to a stack that does not run."""
        if not self._record.taken:
            return
        (self._home / STACK_ENV).unlink(missing_ok=True)
        while self._servers:
            self._servers.pop().stop()
        self._record.release()

    def check(self) -> None:
        """Look after the servers.

        Raises:
            StackError: one has ended.
        """
        for server in self._servers:
            server.service.check()

    def environment(self) -> dict[str, str]:
        """The variables by which child processes, RQ's own commands included, find Redis and Supabase."""
        return redis_variables(self._settings) | supabase_variables(self._settings) | {"QA_HOME": str(self._home)}

    def _launch(self, wanted: Needs) -> None:
        if wanted.redis:
            redis = self._started(launch_redis(self._home / "redis"))
            self._settings = with_overrides(self._settings, redis_url=redis.url)
            self._own |= redis_variables(self._settings)
        if wanted.supabase:
            supabase = self._started(launch_supabase(self._home / "supabase", migrations=every_folder()))
            self._settings = with_overrides(
                self._settings, supabase_url=supabase.url, supabase_secret_key=supabase.key
            )
            self._own |= supabase_variables(self._settings)

    def _started(self, server: LocalServer) -> LocalServer:
        self._servers.append(server)
        self._record.write([started.pid for started in self._servers])
        return server

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self.stop()


def stack_runs(settings: Settings) -> bool:
    """Whether a living stack holds the home folder."""
    return held(settings.qa_home.resolve())


def stack_variables(home: Path) -> dict[str, str]:
    """What the `stack.env` in this folder says; a killed stack leaves its own behind."""
    return {name: value for name, value in dotenv_values(home / STACK_ENV).items() if value is not None}


def redis_variables(settings: Settings) -> dict[str, str]:
    """The variables by which qa-queue and RQ's commands find Redis; none behind Sentinels, which no URL names."""
    server = main_server(settings)
    if server.sentinels is not None:
        return {}
    return {"REDIS_URL": server.url, "RQ_REDIS_URL": rq_url(server)}


def supabase_variables(settings: Settings) -> dict[str, str]:
    """The variables by which qa-queue finds Supabase; those that are not set are left out."""
    key = settings.supabase_secret_key
    found = {"SUPABASE_URL": settings.supabase_url, "SUPABASE_SECRET_KEY": key and key.get_secret_value()}
    return {name: value for name, value in found.items() if value}


def _as_dotenv(variables: dict[str, str]) -> str:
    return "".join(f"{name}={value}\n" for name, value in variables.items())
