"""The signature of a webhook's messages: HMAC-SHA256 over the moment of sending and the body. Pure.

The header reads `X-QA-Queue-Signature: t=1767880000,v1=<64 hexadecimal digits>`. What is signed is the moment as it
stands there, a full stop, and the body's bytes, so neither can be changed, and an old message cannot be sent again.

How a message leaves: what a transport is, and the signed webhook.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from typing import Protocol
from urllib.parse import urlsplit

import httpx

from qa_queue.errors import InfrastructureError
from qa_queue.monitoring.alerts.config import Channel
from qa_queue.monitoring.alerts.message import Message

HEADER = "X-QA-Queue-Signature"
WINDOW_S = 300  # how old a message may be


def sign(secret: str, body: bytes, *, now: int) -> str:
    """The header's value for a body sent at `now`, in s since 1970."""
    return f"t={now},v1={_digest(secret, str(now), body)}"


def verify(secret: str, header: str, body: bytes, *, now: float, window_s: float = WINDOW_S) -> bool:
    """Whether who knows the secret signed this body no longer than `window_s` ago; compared in constant time."""
    parts = dict(part.split("=", 1) for part in header.split(",") if "=" in part)
    moment = parts.get("t", "")
    if not (moment.isascii() and moment.isdigit()):
        return False
    genuine = hmac.compare_digest(_digest(secret, moment, body).encode(), parts.get("v1", "").encode())
    return genuine and abs(now - int(moment)) <= window_s


def _digest(secret: str, moment: str, body: bytes) -> str:
    return hmac.new(secret.encode(), moment.encode() + b"." + body, hashlib.sha256).hexdigest()


ID_HEADER = "X-QA-Queue-Delivery"  # the same for every try of a message
_LATER = (408, 425, 429)  # refusals that may be over soon, beside those of 5xx


class DeliveryError(InfrastructureError):
    """A channel did not take a message; `final` when trying again cannot help."""

    def __init__(self, message: str, *, final: bool = False) -> None:
        super().__init__(message)
        self.final = final


class Transport(Protocol):
    """Sends to one place. Used by one thread."""

    def send(self, message: Message) -> None:
        """Send a message, or raise within about the channel's time-out.

        Raises:
            DeliveryError: it was not taken, and why; without a password.
        """


class WebhookTransport:
    """Posts the message as JSON, signed; see `signature`. Follows no redirect: it is for this place alone."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._host = urlsplit(channel.webhook).hostname

    def send(self, message: Message) -> None:
        """Post it; every answer but 2xx is a refusal."""
        body = json.dumps(message.document(), ensure_ascii=False).encode()
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "qa-queue",
            HEADER: sign(self._channel.secret, body, now=int(time.time())),
            ID_HEADER: message.id,
        }
        try:
            with (
                httpx.Client(timeout=self._channel.timeout_s, follow_redirects=False) as client,
                client.stream("POST", self._channel.webhook, content=body, headers=headers) as answer,
            ):
                status = answer.status_code  # what else it says is not read: it may never end
        except httpx.TimeoutException:
            raise DeliveryError(f"{self._host} did not answer within {self._channel.timeout_s:g} s.") from None
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            raise DeliveryError(f"{self._host} cannot be reached ({type(error).__name__}).") from None
        if 300 <= status < 400:
            raise DeliveryError(
                f"{self._host} redirects ({status}), which is not followed: set the final address.", final=True
            )
        if not 200 <= status < 300:
            raise DeliveryError(f"{self._host} answered {status}.", final=status < 500 and status not in _LATER)
