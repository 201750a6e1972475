"""The configuration of alerts: `qa-alerts.yaml`, QA_ALERT_CHANNELS, and reading the file again when it changes.

The models are the file's format. A mistake is reported with its file, line, path and the nearest known word.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from qa_queue.cases.reader import read_source
from qa_queue.cases.references import Broken, Reference, fill
from qa_queue.errors import CaseError, InputError, QAError
from qa_queue.errors.validation import problems_of
from qa_queue.extensions import queue_names
from qa_queue.models import Frozen
from qa_queue.monitoring.alerts.rules import (
    AnyRule,
    DeadLetterRule,
    FailureRateRule,
    Severity,
    checked_spec,
    read_seconds,
    with_defaults,
)
from qa_queue.settings import Settings, read_every_secret

log = logging.getLogger(__name__)


def _filled(text: SecretStr, info: ValidationInfo) -> SecretStr:
    """Fill in `${secret.X}` from the secrets in the context of the validation."""
    secrets: Mapping[str, str] = (info.context or {}).get("secrets", {})
    return SecretStr(fill(text.get_secret_value(), partial(_value, secrets)))


def _value(secrets: Mapping[str, str], piece: Reference | Broken) -> str:
    if isinstance(piece, Broken):
        raise ValueError(f"{piece.text} {piece.why}")  # noqa: TRY004 - a mistake in the file
    if piece.kind != "secret":
        raise ValueError(
            f"{piece} is not known here: write ${{secret.{piece.name}}} and set QA_SECRET_{piece.name}"
        )
    found = secrets.get(piece.name, piece.default)
    if found is None:
        raise ValueError(f"{piece} has no value: set QA_SECRET_{piece.name} in the environment of this process")
    return found


def _service_url(text: SecretStr) -> SecretStr:
    if not _is_url(text.get_secret_value()):
        raise ValueError("is not a URL as apprise takes it, such as mailto://... or slack://...")
    return text


def _http_url(text: SecretStr) -> SecretStr:
    try:
        parts = urlsplit(text.get_secret_value())
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("is not an http:// or https:// address")
    return text


def _is_url(text: str) -> bool:
    scheme, found, rest = text.partition("://")
    return bool(found and rest and scheme.replace("+", "").isalnum())


Secret = Annotated[SecretStr, Field(min_length=1), AfterValidator(_filled)]


class AlertChannel(Frozen):
    """A channel for messages: an apprise URL, or a webhook and the secret that signs its messages."""

    url: Annotated[Secret, AfterValidator(_service_url)] | None = Field(
        default=None, description="A URL of apprise; may contain ${secret.X}."
    )
    webhook: Annotated[Secret, AfterValidator(_http_url)] | None = Field(
        default=None, description="The address of a webhook; may contain ${secret.X}."
    )
    secret: Secret | None = Field(default=None, description="The secret that signs the webhook's messages.")
    severity: Severity = Field(default=Severity.INFO, description="The least severity that is sent here.")
    timeout_s: Annotated[float, BeforeValidator(partial(read_seconds, least=1, most=60))] = Field(
        default=10, alias="timeout", description="The longest that one attempt may take."
    )

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if (self.url is None) == (self.webhook is None):
            raise ValueError("give either url (for apprise) or webhook")
        if self.webhook and not self.secret:
            raise ValueError("a webhook needs secret, which signs its messages: secret: ${secret.ALERT_HOOK}")
        if self.url and self.secret:
            raise ValueError("only a webhook is signed: remove secret")
        return self

    @property
    def kind(self) -> str:
        """The kind of channel: `webhook`, or the scheme of its URL, such as `mailto`."""
        return "webhook" if self.webhook else self.service_url.partition("://")[0]

    @property
    def service_url(self) -> str:
        """The URL for apprise, with its secrets."""
        return _text(self.url)

    @property
    def webhook_url(self) -> str:
        """The webhook's address, with its secrets."""
        return _text(self.webhook)

    @property
    def signing_secret(self) -> str:
        """The secret that signs the webhook's messages."""
        return _text(self.secret)


def _text(secret: SecretStr | None) -> str:
    return secret.get_secret_value() if secret else ""


def _nothing_is_empty(value: Any) -> Any:
    return {} if value is None else value  # as when all keys below are commented out


class AlertConfig(Frozen):
    """The format of `qa-alerts.yaml`."""

    version: Literal[1] = Field(description="Version of the format.")
    every_s: Annotated[float, BeforeValidator(partial(read_seconds, least=1, most=15))] = Field(
        default=5, alias="every", description="The time between evaluations of the rules."
    )
    group_wait_s: Annotated[float, BeforeValidator(partial(read_seconds, most=600))] = Field(
        default=10, alias="group_wait", description="How long the first alert waits for others."
    )
    rules: dict[str, Annotated[AnyRule, BeforeValidator(checked_spec)]] = Field(
        default_factory=dict,
        validate_default=True,
        description="The rules by name; `false` turns a default rule off.",
    )
    channels: Annotated[dict[str, AlertChannel], BeforeValidator(_nothing_is_empty)] = Field(
        default_factory=dict, description="The channels by name."
    )

    @field_validator("rules", mode="before")
    @classmethod
    def _with_defaults(cls, value: Any) -> Any:
        value = _nothing_is_empty(value)
        return with_defaults(value) if isinstance(value, dict) else value

    @property
    def windows(self) -> frozenset[float]:
        """The windows of dead letters and outcomes, in s."""
        judged = (DeadLetterRule, FailureRateRule)
        return frozenset(rule.window_s for rule in self.rules.values() if isinstance(rule, judged))


def load_config(path: Path, queues: Sequence[str], secrets: Mapping[str, str]) -> AlertConfig:
    """Read a file. `queues` are the known ones, `secrets` the values of `${secret.X}`.

    Raises:
        CaseError: every mistake with its line.
    """
    source = read_source(path, "it has at least 'version: 1'")
    problems = list(map(str, source.problems))
    config = None
    try:
        config = AlertConfig.model_validate(source.document, context={"queues": queues, "secrets": secrets})
    except ValidationError as error:
        problems += map(str, problems_of(error, AlertConfig, source=source.name, lines=source.lines))
    if config is None or problems:
        raise CaseError("\n".join(problems), tuple(problems))
    return config


def setting_channels(text: str) -> dict[str, AlertChannel]:
    """Return the channels of QA_ALERT_CHANNELS: apprise URLs separated by spaces, named `setting-1` and so on.

    Raises:
        InputError: one is not a URL; it is not shown, because it may contain a password.
    """
    urls = text.split()
    wrong = [number for number, url in enumerate(urls, 1) if not _is_url(url)]
    if wrong:
        raise InputError(
            f"QA_ALERT_CHANNELS: number {wrong[0]} of {len(urls)} is not a URL: write apprise's URLs, such as "
            "mailto://..., separated by spaces."
        )
    return {
        f"setting-{number}": AlertChannel.model_construct(url=SecretStr(url)) for number, url in enumerate(urls, 1)
    }


def alert_config(settings: Settings) -> AlertConfig:
    """Return the configuration as it is now; without a file, the default rules.

    Raises:
        CaseError: every mistake in the file, with its line.
        InputError: a channel of QA_ALERT_CHANNELS is not a URL, or has the name of one in the file.
    """
    path = settings.qa_alerts_file
    required = "qa_alerts_file" in settings.model_fields_set
    config = AlertConfig(version=1)
    if required or path.exists():
        config = load_config(path, queue_names(), read_every_secret())
    given = settings.qa_alert_channels
    more = setting_channels(given.get_secret_value()) if given else {}
    if taken := sorted(config.channels.keys() & more.keys()):
        raise InputError(
            f"{path}: the name {taken[0]} is that of a channel of QA_ALERT_CHANNELS: choose another one."
        )
    return config.model_copy(update={"channels": {**config.channels, **more}})


class ConfigSource:
    """The configuration of a running process: a changed file takes effect at the next evaluation.

    A broken file is logged once, and the configuration before it stays in effect.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._stamp: tuple[int, int] | str | None = "never read"
        self._config = AlertConfig(version=1)

    def current(self) -> AlertConfig:
        """Return the configuration in effect, the same object as long as it does not change."""
        stamp = _stamp(self._settings.qa_alerts_file)
        if stamp != self._stamp:
            self._stamp = stamp
            try:
                self._config = alert_config(self._settings)
            except QAError as error:
                log.error("The new configuration of alerts is ignored: %s", error)  # noqa: TRY400 - it says all
        return self._config


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size
