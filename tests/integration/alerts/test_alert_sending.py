"""Sending: the answers of a webhook, attempts and pauses, a thread for each channel, and apprise."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from qa_queue.errors import InputError
from qa_queue.local.process import free_port
from qa_queue.monitoring.alerts.channels import DeliveryError, WebhookTransport, secret_parts, transport_of
from qa_queue.monitoring.alerts.config import AlertChannel
from qa_queue.monitoring.alerts.message import Message, trial_message
from qa_queue.monitoring.alerts.monitor import ATTEMPTS, Sender, deliver
from qa_queue.monitoring.alerts.rules import Severity
from tests.support.poll import wait_until
from tests.support.receivers import SECRET, Hook, mail_server, webhook

MESSAGE = trial_message(message_id="m1", now=datetime(2026, 1, 9, tzinfo=UTC), sender="a test")


@pytest.fixture
def hook() -> Iterator[Hook]:
    with webhook() as receiver:
        yield receiver


def channel(hook: Hook, **changes: object) -> AlertChannel:
    return AlertChannel.model_validate({"webhook": hook.url, "secret": SECRET, "timeout": "5s", **changes})


def test_a_webhook_gets_signed_messages(hook: Hook) -> None:
    """The receiver checks the signature; the message's id is in a header too."""
    WebhookTransport(channel(hook)).send(MESSAGE)
    assert hook.messages == [MESSAGE.document()]
    assert hook.requests[0]["X-QA-Queue-Delivery"] == "m1"


def test_a_message_signed_with_another_secret_is_refused_for_good(hook: Hook) -> None:
    """Another attempt would get a 401, too."""
    with pytest.raises(DeliveryError, match="answered 401") as caught:
        WebhookTransport(channel(hook, secret="other")).send(MESSAGE)
    assert caught.value.final
    assert hook.forged == 1


def test_a_redirect_is_not_followed(hook: Hook) -> None:
    """The message is for the configured address only."""
    hook.answer, hook.location = (lambda: 307), hook.url
    with pytest.raises(DeliveryError, match=r"redirects \(307\)"):
        WebhookTransport(channel(hook)).send(MESSAGE)
    assert len(hook.requests) == 1


def test_a_receiver_that_refuses_connections_or_does_not_answer_is_reported(hook: Hook) -> None:
    """Without its path and the secret."""
    closed = channel(hook, webhook=f"http://127.0.0.1:{free_port()}/t0ken")
    with pytest.raises(DeliveryError, match=r"127\.0\.0\.1 cannot be reached") as caught:
        WebhookTransport(closed).send(MESSAGE)
    assert "t0ken" not in str(caught.value)
    held = threading.Event()
    hook.answer = lambda: 200 if held.wait(20) else 500
    with pytest.raises(DeliveryError, match=r"did not answer within 1 s"):
        WebhookTransport(channel(hook, timeout="1s")).send(MESSAGE)
    held.set()


class Flaky:
    """Refuses a number of messages."""

    def __init__(self, refusals: int, *, final: bool = False) -> None:
        self.left, self.final, self.attempts = refusals, final, 0

    def send(self, message: Message) -> None:
        self.attempts += 1
        if self.attempts <= self.left:
            raise DeliveryError("not now", final=self.final)


def test_a_message_is_sent_again_with_growing_pauses() -> None:
    """Up to five times; a final refusal ends it at once, and so does the end of the process."""
    pauses: list[float] = []
    late = Flaky(ATTEMPTS - 1)
    deliver(late, MESSAGE, wait=pauses.append)
    assert (late.attempts, len(pauses)) == (ATTEMPTS, ATTEMPTS - 1)
    assert all(low <= pause <= 2 * low for low, pause in zip((0.5, 1, 2, 4), pauses, strict=True))
    for transport, stopped, attempts in (
        (Flaky(9), False, ATTEMPTS),
        (Flaky(9, final=True), False, 1),
        (Flaky(9), True, 1),
    ):
        with pytest.raises(DeliveryError):
            deliver(transport, MESSAGE, wait=lambda _, stopped=stopped: stopped)
        assert transport.attempts == attempts


def test_a_channel_that_hangs_delays_no_other(hook: Hook) -> None:
    """Each has its own thread, and gets messages of its severity only."""
    with webhook() as slow:
        held = threading.Event()
        slow.answer = lambda: 200 if held.wait(20) else 500
        results: dict[str, str | None] = {}
        sender = Sender({"slow": channel(slow), "fast": channel(hook)}, results.__setitem__)
        sender.send(MESSAGE)
        wait_until(lambda: "fast" in results, what="the fast channel")
        assert "slow" not in results
        held.set()
        sender.close(10)
    assert results == {"slow": None, "fast": None}
    mild = MESSAGE.model_copy(
        update={"alerts": (MESSAGE.alerts[0].model_copy(update={"severity": Severity.INFO}),)}
    )
    strict = Sender({"hook": channel(hook, severity=Severity.CRITICAL)})
    strict.send(mild)
    strict.close(5)
    assert len(hook.messages) == 1


def test_a_mail_goes_through_apprise() -> None:
    """With the title as its subject."""
    with mail_server() as (box, url):
        transport_of("mail", AlertChannel(url=url)).send(MESSAGE)
        assert "TEST CRITICAL test" in box.find("qa-queue")
        assert "to test the channel" in box.mails[0].as_string()


def test_a_failure_of_apprise_is_reported_without_the_password(caplog: pytest.LogCaptureFixture) -> None:
    """And apprise itself logs nothing."""
    url = f"mailto://ann:p4ssword@127.0.0.1:{free_port()}?to=team@example.com&from=qa@example.com"
    with caplog.at_level(logging.DEBUG), pytest.raises(DeliveryError) as caught:
        transport_of("mail", AlertChannel(url=url, timeout="2s")).send(MESSAGE)
    assert "did not accept the message" in str(caught.value)
    assert "p4ssword" not in str(caught.value) + caplog.text
    assert not logging.getLogger("apprise").propagate


def test_a_url_that_apprise_does_not_know_is_refused_and_not_shown() -> None:
    """The message has the channel's name and the URL's scheme."""
    with pytest.raises(InputError, match="Channel odd: apprise does not support its nosuch:// URL") as caught:
        transport_of("odd", AlertChannel(url="nosuch://t0ken@host"))
    assert "t0ken" not in str(caught.value)


def test_without_apprise_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """A webhook needs no package."""
    monkeypatch.setitem(sys.modules, "apprise", None)
    with pytest.raises(InputError, match=r"pip install 'qa-queue\[alerts\]'"):
        transport_of("mail", AlertChannel(url="mailto://a@b.example"))


@pytest.mark.parametrize(
    ("url", "secret"),
    [
        ("mailtos://ann:p4ss%2Fword@mail.example.com", "p4ss/word"),
        ("slack://TokenA/TokenB/TokenC", "TokenA"),
        ("slack://tokenA/tokenB/tokenC", "tokenB"),
        ("json://host/path?key=abcdef", "abcdef"),
    ],
)
def test_every_part_of_a_url_that_may_be_a_token_is_masked(url: str, secret: str) -> None:
    """A mail's URL has its server where a chat's URL has its first token; the server may be shown."""
    assert secret in secret_parts(url)
    assert "mail.example.com" not in secret_parts(url)
