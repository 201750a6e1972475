"""What an operator has set of the alerts: which rules, which channels, how often to look. Values only."""

from __future__ import annotations

from dataclasses import dataclass, field

from qa_queue.monitoring.alerts.rules import DEFAULTS, Rule, Severity

EVERY_S = 5.0
GROUP_WAIT_S = 10.0
TIMEOUT_S = 10.0


@dataclass(frozen=True, kw_only=True)
class Channel:
    """Where messages go: an apprise URL, or a webhook of our own with the secret that signs it.

    Both may hold passwords, so neither is shown: `repr` leaves them out.
    """

    name: str
    url: str = field(default="", repr=False)
    webhook: str = field(default="", repr=False)
    secret: str = field(default="", repr=False)
    severity: Severity = Severity.INFO
    timeout_s: float = TIMEOUT_S

    @property
    def kind(self) -> str:
        """What it is, without a secret: `webhook`, or the scheme of its URL such as `mailto`."""
        return "webhook" if self.webhook else self.url.partition("://")[0]


@dataclass(frozen=True, kw_only=True)
class AlertConfig:
    """Rules and channels by name; durations in s."""

    rules: dict[str, Rule] = field(default_factory=lambda: {rule.name: rule for rule in DEFAULTS.values()})
    channels: tuple[Channel, ...] = ()
    every_s: float = EVERY_S
    group_wait_s: float = GROUP_WAIT_S

    def windows(self) -> frozenset[float]:
        """The windows that rules look at."""
        return frozenset(rule.window_s for rule in self.rules.values())
