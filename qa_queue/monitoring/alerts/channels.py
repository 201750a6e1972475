"""Channels: the signed webhook, and the chats, mail and other services that apprise knows.

A webhook's header reads `X-QA-Queue-Signature: t=1767880000,v1=<64 hexadecimal digits>`: the HMAC-SHA256 of the
time as written there, a full stop, and the body's bytes. So neither can be changed, and no old message be replayed.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Protocol
from urllib.parse import parse_qsl, unquote, urlsplit

import httpx

from qa_queue.cases.texts import mask
from qa_queue.errors import InfrastructureError, InputError
from qa_queue.monitoring.alerts.config import AlertChannel
from qa_queue.monitoring.alerts.message import Message
from qa_queue.monitoring.alerts.rules import Severity

HEADER = "X-QA-Queue-Signature"
ID_HEADER = "X-QA-Queue-Delivery"  # the same in every attempt to send a message
WINDOW_S = 300  # the greatest age of a message
_TEMPORARY = (408, 425, 429)  # statuses that may be over soon, beside 5xx
_LEAST_SECRET = 4  # characters of a part of a URL that may be a token
_NOTIFY_TYPES = {Severity.INFO: "info", Severity.WARNING: "warning", Severity.CRITICAL: "failure"}
_apprise_log = logging.getLogger("apprise")
_apprise_log.propagate = False  # its lines may contain parts of a URL; errors are logged by the sender, masked


class DeliveryError(InfrastructureError):
    """A channel did not accept a message; `final` if another attempt cannot succeed."""

    def __init__(self, message: str, *, final: bool = False) -> None:
        super().__init__(message)
        self.final = final


class Transport(Protocol):
    """The way to one channel. Used by one thread."""

    def send(self, message: Message) -> None:
        """Send a message, within about the channel's time-out.

        Raises:
            DeliveryError: it was not accepted; the reason contains no secret.
        """


def transport_of(name: str, channel: AlertChannel) -> Transport:
    """Return the transport of this channel.

    Raises:
        InputError: apprise is not installed, or does not know the URL.
    """
    return WebhookTransport(channel) if channel.webhook else AppriseTransport(name, channel)


def sign(secret: str, body: bytes, *, now: int) -> str:
    """Return the header's value for a body that is sent at `now`, in s since 1970."""
    return f"t={now},v1={_digest(secret, str(now), body)}"


def verify(secret: str, header: str, body: bytes, *, now: float, window_s: float = WINDOW_S) -> bool:
    """Return whether this body was signed with the secret, at most `window_s` ago. Compares in constant time."""
    parts = dict(part.split("=", 1) for part in header.split(",") if "=" in part)
    moment = parts.get("t", "")
    if not (moment.isascii() and moment.isdigit()):
        return False
    genuine = hmac.compare_digest(_digest(secret, moment, body).encode(), parts.get("v1", "").encode())
    return genuine and abs(now - int(moment)) <= window_s


def _digest(secret: str, moment: str, body: bytes) -> str:
    return hmac.new(secret.encode(), moment.encode() + b"." + body, hashlib.sha256).hexdigest()


class WebhookTransport:
    """Posts messages as signed JSON. It follows no redirect: a message is for this address only."""

    def __init__(self, channel: AlertChannel) -> None:
        self._channel = channel
        self._url = channel.webhook_url
        self._host = urlsplit(self._url).hostname

    def send(self, message: Message) -> None:
        """Post a message; any answer but 2xx is a refusal."""
        body = json.dumps(message.document(), ensure_ascii=False).encode()
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "qa-queue",
            HEADER: sign(self._channel.signing_secret, body, now=int(time.time())),
            ID_HEADER: message.id,
        }
        try:
            with (
                httpx.Client(timeout=self._channel.timeout_s, follow_redirects=False) as client,
                client.stream("POST", self._url, content=body, headers=headers) as answer,
            ):
                status = answer.status_code  # the body is not read: it might never end
        except httpx.TimeoutException:
            raise DeliveryError(f"{self._host} did not answer within {self._channel.timeout_s:g} s.") from None
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            raise DeliveryError(f"{self._host} cannot be reached ({type(error).__name__}).") from None
        self._check(status)

    def _check(self, status: int) -> None:
        if 300 <= status < 400:
            raise DeliveryError(
                f"{self._host} redirects ({status}), which is not followed: set the final address.", final=True
            )
        if not 200 <= status < 300:
            raise DeliveryError(f"{self._host} answered {status}.", final=status < 500 and status not in _TEMPORARY)


class AppriseTransport:
    """Sends messages through one apprise URL.

    Raises:
        InputError: apprise is not installed, or does not know the URL, which is not shown.
    """

    def __init__(self, name: str, channel: AlertChannel) -> None:
        try:
            apprise = import_module("apprise")
        except ModuleNotFoundError as error:
            raise InputError(
                f"Channel {name} needs the package {error.name}: `pip install 'qa-queue[alerts]'`. "
                "A webhook needs no package."
            ) from error
        url = channel.service_url
        self._secrets = {str(number): part for number, part in enumerate(secret_parts(url))}
        with _recording() as lines:
            service = apprise.Apprise.instantiate(url, suppress_exceptions=True)
        if service is None:
            reason = mask(" ".join(line for line in lines if "://" not in line), self._secrets)
            raise InputError(
                f"Channel {name}: apprise does not support its {channel.kind}:// URL: compare it with apprise's "
                f"list of services. {reason}".rstrip()
            )
        service.socket_connect_timeout = service.socket_read_timeout = channel.timeout_s
        self._service = service

    def send(self, message: Message) -> None:
        """Send a message as title and text."""
        resolved = all(item.status == "resolved" for item in message.alerts)
        kind = "success" if resolved else _NOTIFY_TYPES[message.severity]
        with _recording() as lines:
            accepted = self._notify(message, kind)
        if not accepted:
            reason = mask(" ".join(lines), self._secrets) or "It gave no reason."
            raise DeliveryError(f"The service did not accept the message. {reason}")

    def _notify(self, message: Message, kind: str) -> bool:
        try:
            return bool(self._service.notify(body=message.text, title=message.title, notify_type=kind))
        except Exception as error:  # noqa: BLE001 - apprise's plugins raise errors of any kind
            raise DeliveryError(mask(f"{type(error).__name__}: {error}", self._secrets)) from None


def secret_parts(url: str) -> tuple[str, ...]:
    """Return the parts of a URL that may be a password or a token: all but the scheme and very short ones."""
    try:
        parts = urlsplit(url)
        found = [
            parts.username,
            parts.password,
            *parts.path.split("/"),
            *(value for _, value in parse_qsl(parts.query)),
        ]
        if parts.scheme not in ("mailto", "mailtos"):  # the URL of a chat has its first token in place of the host
            found.append(parts.netloc.rpartition("@")[2].partition(":")[0])  # `hostname` would be in lower case
    except ValueError:
        found = re.split(r"[/@:?&=]", url)[1:]
    return tuple(unquote(part) for part in found if part and len(part) >= _LEAST_SECRET)


class _LogRecorder(logging.Handler):
    """Records the warnings of one thread."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []
        self._thread = threading.get_ident()

    def emit(self, record: logging.LogRecord) -> None:
        if record.thread == self._thread:
            self.lines.append(record.getMessage())


@contextmanager
def _recording() -> Iterator[list[str]]:
    """Record the warnings that apprise logs in this thread."""
    recorder = _LogRecorder()
    _apprise_log.addHandler(recorder)
    try:
        yield recorder.lines
    finally:
        _apprise_log.removeHandler(recorder)
