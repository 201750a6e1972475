"""Sending messages: a thread for each channel, so that one that hangs delays no other, with retries."""

from __future__ import annotations

import logging
import queue
import random
import threading
from collections.abc import Callable, Mapping

from qa_queue.errors import QAError
from qa_queue.models.values import exponential
from qa_queue.monitoring.alerts.channels import DeliveryError, Transport, transport_of
from qa_queue.monitoring.alerts.config import AlertChannel
from qa_queue.monitoring.alerts.message import Message

log = logging.getLogger(__name__)

ATTEMPTS = 5
BASE_MS = 1000
MOST_WAITING = 50  # messages of a channel; the oldest is dropped when there are more

Report = Callable[[str, str | None], None]  # takes a channel's name and why it did not accept a message


class Sender:
    """Sends to these channels from threads that start with the first message; `report` gets each result."""

    def __init__(self, channels: Mapping[str, AlertChannel], report: Report = lambda _name, _error: None) -> None:
        self._channels = [_ChannelThread(name, channel, report) for name, channel in channels.items()]

    def send(self, message: Message) -> None:
        """Hand a message to every channel that takes its severity; never waits, never raises."""
        for one in self._channels:
            if (part := message.at_least(one.channel.severity)) is not None:
                one.put(part)

    def close(self, grace_s: float = 0) -> None:
        """Accept no more messages; wait this long for those on their way."""
        for one in self._channels:
            one.stop()
        for one in self._channels:
            one.join(grace_s)


class _ChannelThread:
    """A channel with its thread and the messages that wait for it."""

    def __init__(self, name: str, channel: AlertChannel, report: Report) -> None:
        self.channel = channel
        self._name = name
        self._report = report
        self._waiting: queue.Queue[Message | None] = queue.Queue()
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def put(self, message: Message) -> None:
        if self._stopped.is_set():
            return
        if self._waiting.qsize() >= MOST_WAITING:
            self._waiting.get_nowait()
            log.error("Channel %s has %d messages to send: the oldest is dropped", self._name, MOST_WAITING)
        self._waiting.put(message)
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name=f"alerts {self._name}", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        self._waiting.put(None)

    def join(self, grace_s: float) -> None:
        if self._thread is not None:
            self._thread.join(grace_s)

    def _work(self) -> None:
        while (message := self._waiting.get()) is not None:
            self._report(self._name, self._deliver(message))

    def _deliver(self, message: Message) -> str | None:
        """Return why the channel did not accept a message; None if it did."""
        try:
            deliver(transport_of(self._name, self.channel), message, wait=self._stopped.wait)
        except QAError as error:
            log.error("Channel %s did not accept an alert: %s", self._name, error)  # noqa: TRY400
            return str(error)
        except Exception as error:
            log.exception("Channel %s failed because of a defect", self._name)
            return type(error).__name__
        return None


def deliver(transport: Transport, message: Message, *, wait: Callable[[float], object]) -> None:
    """Send a message, in up to five attempts with growing pauses; `wait(seconds)` returns true to stop trying.

    Raises:
        DeliveryError: the last attempt failed, or another one cannot succeed.
    """
    for number in range(1, ATTEMPTS + 1):
        try:
            transport.send(message)
        except DeliveryError as error:
            pause_ms = exponential(number, jitter=random.random(), base_ms=BASE_MS)  # noqa: S311 - not a secret
            if error.final or number == ATTEMPTS or wait(pause_ms / 1000):
                raise
        else:
            return
