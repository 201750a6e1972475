"""The settings, and the only reader of the environment.

Sources, the first wins: the process environment, `.env`, `stack.env` in QA_HOME (written by a running embedded
stack, so that every command in the same folder finds it). A wrong value is refused with its name, its value and
what is allowed; the value of a secret is never shown.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import quote

from dotenv import dotenv_values
from pydantic import (
    AliasChoices,
    BeforeValidator,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

from qa_queue.errors import InputError, SettingsError
from qa_queue.errors.validation import Problem, problems_of
from qa_queue.settings.rules import QUEUE_URL, queue_variable, redis_problem

HOME = Path(".qa")
STACK_ENV = "stack.env"  # in the home folder
DOTENV = Path(".env")
SECRET_PREFIX = "QA_SECRET_"  # noqa: S105 - the prefix of a name, no password
HOSTS_SUFFIX = "_HOSTS"
MAX_CONCURRENCY = 64
_OWN = ("REDIS_", "SUPABASE_", "QUEUE_", "RQ_", "QA_")

LogLevel = Literal["ERROR", "WARN", "INFO", "DEBUG"]


def _concurrency(value: Any) -> Any:
    """Return the number of cores that this process may use, at least 2, for `auto`; another value as it is."""
    if value != "auto":
        return value
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 2
    return min(max(2, cores), MAX_CONCURRENCY)


class Settings(BaseSettings):
    """The settings of an operator; `docs/settings.md` is generated from them."""

    model_config = SettingsConfigDict(env_file_encoding="utf-8", extra="ignore", frozen=True, env_ignore_empty=True)

    redis_url: str | None = Field(
        default=None,
        description="Redis as a URL: redis://, rediss:// (TLS) or unix://. Wins over the parts.",
    )
    redis_host: str = Field(default="127.0.0.1", description="Host of Redis.")
    redis_port: int = Field(default=6379, ge=1, le=65535, description="Port of Redis.")
    redis_password: SecretStr | None = Field(default=None, description="Password of Redis.")
    redis_username: str | None = Field(default=None, description="ACL user of Redis.")
    redis_db: int = Field(default=0, ge=0, description="Database number in Redis.")
    redis_ssl: bool = Field(default=False, description="Whether Redis by host or by Sentinel speaks TLS.")
    redis_ssl_ca_certs: Path | None = Field(default=None, description="CA file for a Redis that speaks TLS.")
    redis_ssl_certfile: Path | None = Field(
        default=None, description="Client certificate for a Redis that asks for one, as a PEM file."
    )
    redis_ssl_keyfile: Path | None = Field(
        default=None, description="Key of the client certificate; without one it is in the certificate's file."
    )
    redis_sentinels: str | None = Field(
        default=None,
        description="Sentinels as host:port,host:port: Redis is the master that they name. Wins over REDIS_URL; "
        "login, database and TLS are those of the parts.",
    )
    redis_sentinel_master: str | None = Field(default=None, description="The master's name at the Sentinels.")
    redis_sentinel_username: str | None = Field(default=None, description="ACL user of the Sentinels.")
    redis_sentinel_password: SecretStr | None = Field(default=None, description="Password of the Sentinels.")
    redis_url_test_execution: str | None = Field(
        default=None,
        description="A Redis of its own for a queue, as a URL; REDIS_URL_<QUEUE> does it for every queue.",
    )
    redis_url_cleanup: str | None = Field(default=None, description="The same for the queue cleanup.")
    redis_url_adaptation_learning: str | None = Field(
        default=None, description="The same for the queue adaptation-learning."
    )
    redis_max_connections: int = Field(default=50, ge=1, description="Size of a process's pool.")

    supabase_url: str | None = Field(default=None, description="URL of the Supabase project.")
    supabase_secret_key: SecretStr | None = Field(
        default=None,
        validation_alias=AliasChoices("supabase_secret_key", "supabase_service_role_key"),
        description="Secret (service role) key of the project; SUPABASE_SERVICE_ROLE_KEY is read too.",
    )

    supabase_db_url: SecretStr | None = Field(
        default=None,
        description="Database URL of the project, postgresql://USER:PASSWORD@HOST:PORT/DATABASE: only `qa-queue "
        "migrate` uses it.",
    )

    queue_concurrency: Annotated[int, BeforeValidator(_concurrency)] = Field(
        default="auto",
        validate_default=True,
        ge=1,
        le=MAX_CONCURRENCY,
        description="Runs at once in one worker process; auto: one for each core, at least 2.",
    )
    queue_max_attempts: int = Field(default=3, ge=1, le=25, description="Attempts of a job.")
    queue_remove_on_complete: int = Field(
        default=100, ge=0, description="Completed jobs kept in Redis for each queue."
    )
    queue_remove_on_fail: int = Field(
        default=50,
        ge=0,
        description="Cancelled jobs kept in Redis for each queue. Dead letters are kept for 7 days, whatever their "
        "number.",
    )
    queue_shutdown_grace: float = Field(
        default=30,
        ge=0,
        description="Seconds that runs have to end when a worker stops; the queue gets others back.",
    )
    queue_recycle_runs: int = Field(
        default=1000,
        ge=0,
        description="Runs after which a worker renews its browser and child process; 0 is never.",
    )
    queue_recycle_minutes: float = Field(
        default=360, ge=0, description="Minutes after which a worker renews its browser and child; 0 is never."
    )
    queue_recycle_mb: int = Field(
        default=2000,
        ge=0,
        description="MiB of memory at which a worker renews its browser and child, and at twice as many ends them "
        "with what they run; 0 is never.",
    )

    qa_runtime: str = Field(
        default="processors.entry:Runtime",
        pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$",
        description="What a worker's child process runs jobs with, as module:factory; yours may add processors.",
    )
    qa_cancel_grace: float = Field(
        default=10,
        gt=0,
        description="Seconds that a timed-out run has to end before its process is killed.",
    )

    qa_outbox_mb: int = Field(
        default=256, ge=1, description="MiB on disk for results that wait for Supabase; when full, no job is taken."
    )

    log_level: LogLevel = Field(default="INFO", description="The least level that is logged.")
    log_format: Literal["text", "json"] = Field(default="text", description="Lines for people or for machines.")

    qa_home: Path = Field(default=HOME, description="Folder for evidence and the embedded stack's data.")
    qa_artifacts: str = Field(
        default="",
        description="Place of evidence for all machines: supabase:BUCKET, s3://BUCKET/PREFIX or file:///FOLDER; "
        "without it, files stay in QA_HOME of the machine that ran the test.",
    )
    qa_s3_endpoint: str | None = Field(
        default=None, description="URL of a server that speaks S3's protocol, for QA_ARTIFACTS=s3://...; else AWS."
    )
    qa_uploads_mb: int = Field(
        default=2048,
        ge=1,
        description="MiB of evidence that may wait for the place in QA_ARTIFACTS; above, no job is taken.",
    )
    qa_artifact_cache_mb: int = Field(
        default=1024, ge=1, description="MiB of evidence from QA_ARTIFACTS that pages and reports keep in QA_HOME."
    )
    qa_browser_path: Path | None = Field(default=None, description="Chromium to use instead of the one found.")
    qa_connect_hosts: str = Field(
        default="",
        description="Hosts, separated by commas, of browsers that cases may connect to with `use.connect`: HOST, "
        "HOST:PORT, *.DOMAIN; without it, none.",
    )
    qa_ignored_attributes: str = Field(
        default="",
        description="HTML attributes, separated by commas, that fingerprints and healed locators leave out.",
    )
    qa_evaluate: Literal["trusted", "always", "never"] = Field(
        default="trusted",
        description="Which runs may use `evaluate`: those that `qa-queue run` submitted from a file, all, or none.",
    )
    qa_api_suites: bool = Field(
        default=False,
        description="Accept cases that run pytest tests, which is code on the workers, over HTTP.",
    )
    qa_suite_variables: str = Field(
        default="",
        description="Environment variables, separated by commas, that workers pass on to pytest suites; never "
        "those of the service itself.",
    )
    qa_suite_memory_mb: int = Field(
        default=2000,
        ge=100,
        description="MiB of memory, browsers included, at which the process of a pytest suite is renewed between "
        "tests; at twice as many it is ended with its test.",
    )
    qa_keep_days: int = Field(default=30, ge=0, description="Days that good runs are kept.")
    qa_keep_failed_days: int = Field(default=90, ge=0, description="Days that failed runs are kept.")
    qa_alerts_file: Path = Field(
        default=Path("qa-alerts.yaml"),
        description="Rules and channels of alerts; without the file the rules' defaults.",
    )
    qa_alert_channels: SecretStr | None = Field(
        default=None,
        description="Channels of alerts as apprise's URLs, with spaces between them; beside the file's.",
    )
    qa_dashboard_user: str = Field(default="qa", description="User of rq-dashboard.")
    qa_dashboard_password: SecretStr | None = Field(
        default=None, description="Password of rq-dashboard; without one it does not start."
    )
    qa_dashboard_port: int = Field(default=9181, ge=1, le=65535, description="Port of rq-dashboard.")
    qa_web_port: int = Field(default=8600, ge=1, le=65535, description="Port of qa-queue's own pages.")
    qa_web_url: str | None = Field(
        default=None,
        pattern=r"^https?://[^\s]+$",
        description="Address at which people reach the pages, for links in reports. Default: this machine's.",
    )
    qa_web_hosts: str = Field(
        default="",
        description="Host names, separated by commas, that pages and API answer to beside those of loopback.",
    )
    qa_api_open_on_loopback: bool = Field(
        default=False,
        description="Allow every user of this machine to use pages and API without a login, with all rights.",
    )
    qa_api_requests_per_minute: int = Field(
        default=600, ge=1, description="Requests a minute that one token or login may make of the API."
    )
    qa_api_max_body: int = Field(default=10_000_000, ge=1, description="Bytes that a request to the API may have.")

    @field_validator("log_level", mode="before")
    @classmethod
    def _level_in_any_case(cls, value: Any) -> Any:
        return value.upper() if isinstance(value, str) else value

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if problem := redis_problem(
            sentinels=self.redis_sentinels,
            given=[
                name.upper()
                for name in type(self).model_fields
                if name.startswith("redis_s") and getattr(self, name)
            ],
        ):
            raise ValueError(problem)
        return self

    def redis_url_of(self, queue: str) -> str | None:
        """The URL of a queue that has a Redis of its own; may hold a password. None: it is on the main one."""
        return self._queue_urls.get(queue_variable(queue))

    @property
    def redis_url_names(self) -> frozenset[str]:
        """The variables that give a queue a Redis of its own."""
        return frozenset(self._queue_urls)

    @cached_property
    def _queue_urls(self) -> dict[str, str]:
        fields = {name.upper() for name in type(self).model_fields}
        added = {k: v for k, v in _environment().items() if k.startswith(QUEUE_URL) and k not in fields}
        own = {name: getattr(self, name.lower()) for name in fields if name.startswith(QUEUE_URL)}
        return {name: url for name, url in (added | own).items() if url}

    @cached_property
    def redis_dsn(self) -> str:
        """The URL of Redis, built from the parts where no URL is set; may hold the password, so never log it.

        With Sentinels, host and port in it stand for nothing.
        """
        if self.redis_url and not self.redis_sentinels:
            return self.redis_url
        login = ""
        if self.redis_password:
            login = f"{quote(self.redis_username or '', safe='')}:"
            login += f"{quote(self.redis_password.get_secret_value(), safe='')}@"
        scheme = "rediss" if self.redis_ssl else "redis"
        return f"{scheme}://{login}{self.redis_host}:{self.redis_port}/{self.redis_db}"

    @property
    def ignored_attributes(self) -> tuple[str, ...]:
        """The attributes that healing leaves out."""
        return tuple(name.strip().lower() for name in self.qa_ignored_attributes.split(",") if name.strip())

    @property
    def suite_variables(self) -> tuple[str, ...]:
        """The variables that workers pass on to pytest suites."""
        return tuple(name.strip() for name in self.qa_suite_variables.split(",") if name.strip())

    @property
    def artifacts_dir(self) -> Path:
        """The folder of the files that runs create."""
        return self.qa_home / "artifacts"

    @property
    def outbox_dir(self) -> Path:
        """The folder of results that wait for Supabase."""
        return self.qa_home / "outbox"


def load_settings(**overrides: Any) -> Settings:
    """Read the settings; `overrides` win over every source.

    Raises:
        SettingsError: a value is not allowed.
    """
    try:
        return Settings(_env_file=env_files(overrides.get("qa_home")), **overrides)
    except ValidationError as error:
        raise SettingsError("\n".join(map(_setting_error, problems_of(error, Settings)))) from None


def with_overrides(settings: Settings, **overrides: Any) -> Settings:
    """The same settings with some replaced; a copy, since `redis_dsn` is worked out once for each object."""
    given = {name: getattr(settings, name) for name in settings.model_fields_set}
    return load_settings(**(given | overrides))


def env_files(home: Path | None = None) -> tuple[Path, Path]:
    """The files that settings are read from, the least first: a running stack's in the home folder, then `.env`."""
    named = home or os.environ.get("QA_HOME") or dotenv_values(DOTENV).get("QA_HOME")
    return Path(named or HOME) / STACK_ENV, DOTENV


def on_redis(settings: Settings, url: str) -> Settings:
    """The same settings with this Redis as the main one, whatever named another."""
    sentinel = {name: None for name in Settings.model_fields if name.startswith("redis_sentinel")}
    return with_overrides(settings, redis_url=url, **sentinel)


def _setting_error(problem: Problem) -> str:
    """Return the message of one fault, with the variable's name; a fault of several settings names them itself."""
    if not problem.path:
        return problem.text
    return f"{str(problem.path[0]).upper()}: {problem.text}. Set it in the environment or in .env."


def _environment() -> dict[str, str]:
    merged: dict[str, str] = {}
    for file in env_files():
        merged |= {k: v for k, v in dotenv_values(file).items() if v is not None}
    return merged | dict(os.environ)


def child_environment(additions: dict[str, str]) -> dict[str, str]:
    """This process's environment with additions, for the processes that it starts."""
    return dict(os.environ) | additions


def read_variables(names: frozenset[str]) -> dict[str, str]:
    """The values of these environment variables, for `${env.X}`; missing ones are left out.

    Raises:
        InputError: a name belongs to the service's own settings, which never travel in a payload.
    """
    own = sorted(n for n in names if n.startswith(_OWN))
    if own:
        raise InputError(
            f"${{env.{own[0]}}} is a setting of the service and is not given to cases: "
            f"use ${{secret.NAME}} and set {SECRET_PREFIX}NAME for the workers."
        )
    source = _environment() if names else {}
    return {name: source[name] for name in names if name in source}


@dataclass(frozen=True)
class Secret:
    """A secret of cases; `hosts` lists those on which it may be used, None where the operator names none."""

    value: str = field(repr=False)
    hosts: str | None = None


def read_secrets(names: frozenset[str]) -> dict[str, Secret]:
    """Return these secrets from `QA_SECRET_<name>`; missing ones are left out. Workers only."""
    source = _environment()
    known = (name for name in names if SECRET_PREFIX + name in source and not name.endswith(HOSTS_SUFFIX))
    return {n: Secret(source[SECRET_PREFIX + n], source.get(SECRET_PREFIX + n + HOSTS_SUFFIX)) for n in known}


def read_every_secret() -> dict[str, str]:
    """Return the values of all secrets that this process knows, by name: to mask them in what it writes."""
    source = _environment()
    names = (n for n in source if n.startswith(SECRET_PREFIX) and not n.endswith(HOSTS_SUFFIX))
    return {name.removeprefix(SECRET_PREFIX): source[name] for name in names}
