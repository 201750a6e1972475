"""How a message leaves: what a transport is, and the signed webhook."""

from __future__ import annotations

import json
import time
from typing import Protocol
from urllib.parse import urlsplit

import httpx

from qa_queue.alerts.config import Channel
from qa_queue.alerts.message import Message
from qa_queue.alerts.signature import HEADER, sign
from qa_queue.errors import InfrastructureError

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
