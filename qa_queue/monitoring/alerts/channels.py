"""Chat, mail and other services, through apprise. The only module that imports it; loaded by the channels."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import parse_qsl, unquote, urlsplit

import apprise

from qa_queue.cases.texts import mask
from qa_queue.errors import InputError
from qa_queue.monitoring.alerts.config import Channel
from qa_queue.monitoring.alerts.message import Message
from qa_queue.monitoring.alerts.rules import Severity
from qa_queue.monitoring.alerts.transports import DeliveryError

_TYPES = {
    Severity.INFO: apprise.NotifyType.INFO,
    Severity.WARNING: apprise.NotifyType.WARNING,
    Severity.CRITICAL: apprise.NotifyType.FAILURE,
}
_LEAST_SECRET = 4  # characters of a part of a URL that may be a token
_log = logging.getLogger("apprise")
_log.propagate = False  # its lines may hold parts of a URL; ours say what is wrong, masked


class _Heard(logging.Handler):
    """What apprise says in this thread."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []
        self._thread = threading.get_ident()

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line of this thread."""
        if record.thread == self._thread:
            self.lines.append(record.getMessage())


class AppriseTransport:
    """Sends through one apprise URL.

    Raises:
        InputError: apprise does not know the URL; it is not shown.
    """

    def __init__(self, channel: Channel) -> None:
        self._secrets = {str(number): part for number, part in enumerate(secret_parts(channel.url))}
        with _listening() as heard:
            service = apprise.Apprise.instantiate(channel.url, suppress_exceptions=True)
        if service is None:
            said = " ".join(line for line in heard if "://" not in line)
            raise InputError(
                f"Channel {channel.name}: apprise does not know what to do with its {channel.kind}:// URL. "
                f"Its list of services says how they are written. {mask(said, self._secrets)}".rstrip()
            )
        service.socket_connect_timeout = service.socket_read_timeout = channel.timeout_s
        self._service = service

    def send(self, message: Message) -> None:
        """Send it as title and text."""
        over = all(item.status == "resolved" for item in message.alerts)
        kind = apprise.NotifyType.SUCCESS if over else _TYPES[message.severity]
        with _listening() as heard:
            taken = self._attempt(message, kind)
        if not taken:
            said = mask(" ".join(heard), self._secrets) or "It did not say why."
            raise DeliveryError(f"The service did not take it. {said}")

    def _attempt(self, message: Message, kind: apprise.NotifyType) -> bool:
        try:
            return bool(self._service.notify(body=message.text, title=message.title, notify_type=kind))
        except Exception as error:  # noqa: BLE001 - plugins of many hands raise whatever they meet
            raise DeliveryError(mask(f"{type(error).__name__}: {error}", self._secrets)) from None


@contextmanager
def _listening() -> Iterator[list[str]]:
    """What apprise says in this thread meanwhile."""
    heard = _Heard()
    _log.addHandler(heard)
    try:
        yield heard.lines
    finally:
        _log.removeHandler(heard)


def secret_parts(url: str) -> tuple[str, ...]:
    """The parts of a URL that may be a password or a token: all but the scheme, and what is very short."""
    try:
        parts = urlsplit(url)
        found = [
            parts.username,
            parts.password,
            *parts.path.split("/"),
            *(value for _, value in parse_qsl(parts.query)),
        ]
        if parts.scheme not in ("mailto", "mailtos"):  # the first token of a chat's URL stands where the host does
            found.append(
                parts.netloc.rpartition("@")[2].partition(":")[0]
            )  # as written: `hostname` is in lower case
    except ValueError:
        found = re.split(r"[/@:?&=]", url)[1:]
    return tuple(unquote(part) for part in found if part and len(part) >= _LEAST_SECRET)
