"""Messages: as text, as JSON, and signed."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from qa_queue.monitoring.alerts import Alert, sign, verify
from qa_queue.monitoring.alerts.message import Message, compose, trial_message
from qa_queue.monitoring.alerts.rules import RuleKind, Severity
from tests.support.alerting import NOW

BODY = b'{"a": 1}'
HEADER = sign("secret", BODY, now=int(NOW))


def alert(rule: str, severity: Severity = Severity.WARNING, subject: str = "q") -> Alert:
    return Alert(
        rule=rule,
        kind=RuleKind.QUEUE_DEPTH,
        subject=subject,
        severity=severity,
        summary=f"{rule} is bad.",
        value=3,
        firing_since=NOW - 600,
        notified_at=NOW,
        open=True,
    )


def message(*fired: Alert, resolved: tuple[Alert, ...] = ()) -> Message:
    return compose(fired, resolved, message_id="m1", now=datetime.fromtimestamp(NOW, UTC), sender="scheduler a:1")


def test_the_title_has_the_worst_alert_and_the_number_of_others() -> None:
    """Resolved alerts come last."""
    sent = message(alert("a"), alert("b", Severity.CRITICAL, ""), resolved=(alert("c", Severity.CRITICAL),))
    assert sent.title == "[qa-queue] CRITICAL b (and 2 more)"
    assert [part.split()[0] for part in sent.text.split("\n\n")] == ["CRITICAL", "WARNING", "RESOLVED"]
    assert "after 10 min" in sent.text
    assert message(resolved=(alert("c"),)).title == "[qa-queue] RESOLVED c: q"


def test_a_channel_gets_alerts_of_its_least_severity_only() -> None:
    """And no message if there are none."""
    sent = message(alert("a"), alert("b", Severity.CRITICAL))
    worse = sent.at_least(Severity.CRITICAL)
    assert worse is not None
    assert [item.rule for item in worse.alerts] == ["b"]
    assert message(alert("a")).at_least(Severity.CRITICAL) is None


def test_a_json_message_has_everything_that_a_program_needs() -> None:
    """With text beside the values; times are ISO 8601 in UTC."""
    document = message(alert("a"), resolved=(alert("b"),)).document()
    assert (document["version"], document["id"], document["test"]) == (1, "m1", False)
    first, second = document["alerts"]
    assert (first["status"], first["subject"], first["value"], first["until"]) == ("firing", "q", 3, None)
    assert (second["status"], second["until"]) == ("resolved", "2026-01-09T23:06:40Z")
    assert trial_message(message_id="m2", now=datetime.now(UTC), sender="me").title.startswith("[qa-queue] TEST")


@pytest.mark.parametrize(
    ("secret", "header", "body", "late"),
    [
        ("other", HEADER, BODY, 0),
        ("secret", HEADER, BODY + b" ", 0),
        ("secret", HEADER.replace("t=17", "t=18"), BODY, 0),
        ("secret", HEADER, BODY, 301),
        ("secret", HEADER, BODY, -301),
        ("secret", "", BODY, 0),
        ("secret", "t=,v1=", BODY, 0),
        ("secret", "t=²,v1=é", BODY, 0),
    ],
)
def test_a_forged_changed_or_old_message_is_refused(secret: str, header: str, body: bytes, late: float) -> None:
    """Without the secret, no one can write, change or replay a message."""
    assert verify("secret", HEADER, BODY, now=NOW + 299)
    assert not verify(secret, header, body, now=NOW + late)
