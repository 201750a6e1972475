"""Alerts for tests: snapshots, findings and rules, short to write."""

from __future__ import annotations

from typing import Any

from qa_queue.monitoring.alerts.conditions import Condition, Findings, find
from qa_queue.monitoring.alerts.rules import DEFAULTS, Rule, RuleKind
from qa_queue.monitoring.alerts.snapshot import QueueView, Snapshot

NOW = 1_768_000_000.0


def rule(kind: RuleKind = RuleKind.QUEUE_DEPTH, **overrides: Any) -> Rule:
    """A default rule with changes."""
    return DEFAULTS[kind].model_copy(update=overrides)


def snapshot(*queues: QueueView, **overrides: Any) -> Snapshot:
    """A snapshot of a service that is well, with these queues."""
    return Snapshot(**{"at": NOW, "queues": queues, **overrides})


def summaries(found_by: Rule, seen: Snapshot) -> list[str]:
    """What a rule says of a snapshot."""
    return [condition.summary for condition in find([found_by], seen).broken]


def broken(of: Rule, subject: str = "q", value: float = 1) -> Findings:
    """Findings with one broken rule."""
    return Findings(broken=(Condition(rule=of, subject=subject, value=value, summary=f"{subject} is bad"),))
