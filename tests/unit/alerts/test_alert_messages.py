"""What is told: in words, as JSON, and signed."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from qa_queue.monitoring.alerts.message import Message, compose, trial_message
from qa_queue.monitoring.alerts.rules import RuleKind, Severity
from qa_queue.monitoring.alerts.state import Alert
from qa_queue.monitoring.alerts.transports import sign, verify
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
        told_at=NOW,
        open=True,
    )


def message(*fired: Alert, resolved: tuple[Alert, ...] = ()) -> Message:
    return compose(fired, resolved, message_id="m1", now=datetime.fromtimestamp(NOW, UTC), sender="scheduler a:1")


def test_the_title_says_the_worst_and_how_many_more() -> None:
    """What is over comes last."""
    told = message(alert("a"), alert("b", Severity.CRITICAL, ""), resolved=(alert("c", Severity.CRITICAL),))
    assert told.title == "[qa-queue] CRITICAL b (and 2 more)"
    assert [part.split()[0] for part in told.text.split("\n\n")] == ["CRITICAL", "WARNING", "RESOLVED"]
    assert "after 10 min" in told.text
    assert message(resolved=(alert("c"),)).title == "[qa-queue] RESOLVED c: q"


def test_a_channel_for_the_worse_gets_those_alone() -> None:
    """And no message at all when there are none."""
    told = message(alert("a"), alert("b", Severity.CRITICAL))
    worse = told.at_least(Severity.CRITICAL)
    assert worse is not None
    assert [item.rule for item in worse.alerts] == ["b"]
    assert message(alert("a")).at_least(Severity.CRITICAL) is None


def test_as_json_a_message_has_everything_that_a_program_needs() -> None:
    """With the words beside the values; moments are ISO 8601 in UTC."""
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
def test_what_is_forged_changed_or_old_is_refused(secret: str, header: str, body: bytes, late: float) -> None:
    """Whoever does not know the secret can neither write, change nor replay a message."""
    assert verify("secret", HEADER, BODY, now=NOW + 299)
    assert not verify(secret, header, body, now=NOW + late)
