"""Alerts for tests: snapshots, findings and rules, short to write."""

from __future__ import annotations

from typing import Any

from qa_queue.monitoring.alerts.conditions import Condition, Findings, evaluate
from qa_queue.monitoring.alerts.config import AlertConfig
from qa_queue.monitoring.alerts.rules import AnyRule, RuleKind
from qa_queue.monitoring.snapshot import QueueSnapshot, Snapshot

NOW = 1_768_000_000.0
DEFAULT_RULES = AlertConfig(version=1).rules


def rule(kind: RuleKind = RuleKind.QUEUE_DEPTH, **overrides: Any) -> AnyRule:
    """A default rule with changes."""
    return DEFAULT_RULES[kind].model_copy(update=overrides)


def snapshot(*queues: QueueSnapshot, **overrides: Any) -> Snapshot:
    """A snapshot of a service without faults, with these queues."""
    return Snapshot(**{"at": NOW, "queues": queues, **overrides})


def found(*rules: AnyRule, on: Snapshot) -> Findings:
    """Findings of these rules, each named after its kind."""
    return evaluate({one.kind.value: one for one in rules}, on)


def summaries(by: AnyRule, on: Snapshot) -> list[str]:
    """Sentences of a rule about a snapshot."""
    return [condition.summary for condition in found(by, on=on).met]


def met(by: AnyRule, subject: str = "q", value: float = 1) -> Findings:
    """Findings with the condition of one rule, which is named after its kind."""
    condition = Condition(rule=by.kind.value, subject=subject, value=value, summary=f"{subject} is bad")
    return Findings(met=(condition,))
