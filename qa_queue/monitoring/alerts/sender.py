"""Sending messages: each channel in a thread of its own, so that one that hangs holds up nobody."""

from __future__ import annotations

import logging
import queue
import random
import threading
from collections.abc import Callable, Iterable
from importlib import import_module

from qa_queue.errors import InputError, QAError
from qa_queue.models.backoff import exponential
from qa_queue.monitoring.alerts.config import Channel
from qa_queue.monitoring.alerts.message import Message
from qa_queue.monitoring.alerts.transports import DeliveryError, Transport, WebhookTransport

log = logging.getLogger(__name__)

TRIES = 5
BASE_MS = 1000
MOST_WAITING = 50  # messages of one channel; when it is that far behind, the oldest go
_MODULE = "qa_queue.monitoring.alerts.channels"

Report = Callable[[str, str | None], None]  # a channel's name, and why it did not take a message


def transport_of(channel: Channel) -> Transport:
    """What sends to this channel.

    Raises:
        InputError: apprise is not installed, or does not know the URL.
    """
    if channel.webhook:
        return WebhookTransport(channel)
    try:
        services = import_module(_MODULE)
    except ModuleNotFoundError as error:
        raise InputError(
            f"Channel {channel.name} needs the package {error.name}: `pip install 'qa-queue[alerts]'`. "
            "A webhook of your own needs nothing."
        ) from error
    transport: Transport = services.AppriseTransport(channel)
    return transport


class Sender:
    """Sends to these channels from threads that start with the first message. `report` is told how each ended."""

    def __init__(self, channels: Iterable[Channel], report: Report | None = None) -> None:
        self._lanes = [_Lane(channel, report or _silent) for channel in channels]

    def send(self, message: Message) -> None:
        """Have a message sent soon; never waits, never raises."""
        for lane in self._lanes:
            if (part := message.at_least(lane.channel.severity)) is not None:
                lane.put(part)

    def close(self, grace_s: float = 0) -> None:
        """Send nothing more; wait this long for what is on its way."""
        for lane in self._lanes:
            lane.stop()
        for lane in self._lanes:
            lane.join(grace_s)


class _Lane:
    """One channel with its thread."""

    def __init__(self, channel: Channel, report: Report) -> None:
        self.channel = channel
        self._report = report
        self._waiting: queue.Queue[Message | None] = queue.Queue()
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def put(self, message: Message) -> None:
        if self._stopped.is_set():
            return
        if self._waiting.qsize() >= MOST_WAITING:
            self._waiting.get_nowait()
            log.error("Channel %s is so far behind that its oldest alert is dropped", self.channel.name)
        self._waiting.put(message)
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name=f"alerts {self.channel.name}", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        self._waiting.put(None)

    def join(self, grace_s: float) -> None:
        if self._thread is not None:
            self._thread.join(grace_s)

    def _work(self) -> None:
        while (message := self._waiting.get()) is not None:
            try:
                transport = transport_of(self.channel)
                deliver(transport, message, wait=self._stopped.wait)
            except QAError as error:
                log.error("Channel %s did not take an alert: %s", self.channel.name, error)  # noqa: TRY400
                self._report(self.channel.name, str(error))
            except Exception as error:
                log.exception("Channel %s failed; this is a fault of its own", self.channel.name)
                self._report(self.channel.name, type(error).__name__)
            else:
                self._report(self.channel.name, None)


def deliver(transport: Transport, message: Message, *, wait: Callable[[float], object]) -> None:
    """Send a message, trying again with growing pauses; `wait(seconds)` is true when it is to stop.

    Raises:
        DeliveryError: it was not taken by the last try, or can never be.
    """
    for number in range(1, TRIES + 1):
        try:
            transport.send(message)
        except DeliveryError as error:
            pause_ms = exponential(number, jitter=random.random(), base_ms=BASE_MS)  # noqa: S311 - no secret
            if error.final or number == TRIES or wait(pause_ms / 1000):
                raise
        else:
            return


def _silent(_channel: str, _error: str | None) -> None:
    """Nobody wants to know."""
