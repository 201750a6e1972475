"""The settings of the service."""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AliasChoices, BeforeValidator, Field, SecretStr, field_validator
from pydantic_settings import SettingsConfigDict

from qa_queue.models import ArtifactKind
from qa_queue.settings.environment import HOME
from qa_queue.settings.runs import RunSettings

MAX_CONCURRENCY = 64
STATE_KEY_BYTES = 32
NEW_STATE_KEY = "make one with `openssl rand -base64 32`"

LogLevel = Literal["ERROR", "WARN", "INFO", "DEBUG"]


def _concurrency(value: Any) -> Any:
    """Return the number of cores that this process may use, at least 2, for `auto`; another value as it is."""
    if value != "auto":
        return value
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 2
    return min(max(2, cores), MAX_CONCURRENCY)


def state_key_bytes(text: str) -> bytes | None:
    """Return the bytes of a key in base64, also with - and _ and without padding; None if it is not one."""
    plain = text.strip().rstrip("=").replace("-", "+").replace("_", "/")
    try:
        found = base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except ValueError:
        return None
    return found if len(found) == STATE_KEY_BYTES else None


def by_kind(text: str) -> dict[ArtifactKind, int]:
    """Return the number of each kind of evidence, as in `video=14,trace=30`.

    Raises:
        ValueError: a part cannot be read, with what is allowed.
    """
    found: dict[ArtifactKind, int] = {}
    for part in filter(None, (one.strip() for one in text.split(","))):
        kind, _, number = (word.strip() for word in part.partition("="))
        if kind not in tuple(ArtifactKind) or not number.isdecimal():
            kinds = ", ".join(ArtifactKind)
            raise ValueError(f"{part!r} is not KIND=NUMBER, such as video=14, with one of the kinds {kinds}")
        found[ArtifactKind(kind)] = int(number)
    return found


class Settings(RunSettings):
    """The settings of an operator; `docs/settings.md` is generated from them."""

    model_config = SettingsConfigDict(env_file_encoding="utf-8", extra="ignore", frozen=True, env_ignore_empty=True)

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

    qa_instance: str = Field(
        default="",
        max_length=100,
        description="Name of this service where several use one Supabase project, the same for all of its "
        "processes: each scheduler restores only runs that were submitted under its own name.",
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
    qa_state_key: SecretStr | None = Field(
        default=None,
        description="Key that encrypts the states of logins, 32 bytes in base64, the same for every worker; "
        "`qa-queue up` has one of its own.",
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
    qa_suite_install: bool = Field(
        default=False,
        description="Install the requirements of suites that travel, with pip, into environments in QA_HOME; "
        "otherwise they run with the packages of the worker.",
    )
    qa_suite_memory_mb: int = Field(
        default=2000,
        ge=100,
        description="MiB of memory, browsers included, at which the process of a pytest suite is renewed between "
        "tests; at twice as many it is ended with its test.",
    )
    qa_keep_days: int = Field(default=30, ge=0, description="Days that good runs are kept.")
    qa_keep_failed_days: int = Field(default=90, ge=0, description="Days that failed runs are kept.")
    qa_keep_evidence_days: str = Field(
        default="video=14,trace=30,har=30",
        description="Days that files of a kind are kept where that is shorter than their run, as KIND=DAYS, "
        f"separated by commas. Kinds: {', '.join(ArtifactKind)}.",
    )
    qa_keep_evidence_mb: str = Field(
        default="",
        description="MB that the files of a kind may have in all, as KIND=MB, separated by commas; the oldest are "
        "deleted first.",
    )
    qa_keep_audit_days: int = Field(
        default=365,
        ge=30,
        description="Days that rows of the audit log are kept; the database refuses fewer than 30.",
    )
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
    qa_api_checks_per_minute: int = Field(
        default=60,
        ge=1,
        description="Cases and recordings a minute that one token or login may have checked over the API.",
    )
    qa_api_costly_at_once: int = Field(
        default=2,
        ge=1,
        description="Checks of cases, imports, reports and previews that one token or login may ask for at once.",
    )
    qa_api_streams: int = Field(
        default=50, ge=1, description="Streams of events that one token or login may have open at once."
    )
    qa_api_max_body: int = Field(default=10_000_000, ge=1, description="Bytes that a request to the API may have.")

    @field_validator("qa_state_key")
    @classmethod
    def _is_key(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and state_key_bytes(value.get_secret_value()) is None:
            raise ValueError(f"is not a key of {STATE_KEY_BYTES} bytes in base64: {NEW_STATE_KEY}")
        return value

    @field_validator("qa_keep_evidence_days", "qa_keep_evidence_mb")
    @classmethod
    def _is_by_kind(cls, value: str) -> str:
        by_kind(value)
        return value

    @field_validator("log_level", mode="before")
    @classmethod
    def _level_in_any_case(cls, value: Any) -> Any:
        return value.upper() if isinstance(value, str) else value

    @property
    def evidence_bytes(self) -> int:
        """The size that one file of evidence may have."""
        return self.qa_evidence_max_mb << 20

    @property
    def keep_evidence_days(self) -> Mapping[ArtifactKind, int]:
        """The days that files of a kind are kept."""
        return by_kind(self.qa_keep_evidence_days)

    @property
    def keep_evidence_bytes(self) -> Mapping[ArtifactKind, int]:
        """The bytes that the files of a kind may have in all."""
        return {kind: number << 20 for kind, number in by_kind(self.qa_keep_evidence_mb).items()}

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
