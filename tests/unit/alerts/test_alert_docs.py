"""docs/how-to-alerts.md: its files can be read, its receiver tells genuine messages from forged ones."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from qa_queue.monitoring.alerts import sign
from qa_queue.monitoring.alerts.config import load_config
from qa_queue.monitoring.alerts.rules import RuleKind
from tests.support.alerting import DEFAULT_RULES

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "how-to-alerts.md").read_text()
PROMETHEUS = ROOT / "deploy" / "prometheus" / "qa-queue-rules.yaml"
SECRETS = {"MAIL_PASSWORD": "a", "SLACK_TOKENS": "b", "ALERT_HOOK": "c"}


@pytest.mark.parametrize("text", re.findall(r"```yaml\n(# qa-alerts.*?)```", PAGE, re.DOTALL))
def test_every_file_in_the_page_can_be_read(text: str, tmp_path: Path) -> None:
    """As it stands."""
    file = tmp_path / "qa-alerts.yaml"
    file.write_text(text)
    assert load_config(file, ["test-execution"], SECRETS)


def test_the_page_lists_every_rule() -> None:
    """By its name."""
    assert [kind for kind in RuleKind if f"`{kind.value}`" not in PAGE] == []


def test_the_page_has_the_default_durations() -> None:
    """Before an alert, and from one message to the next."""
    row = next(line for line in PAGE.splitlines() if line.startswith("| `failure_rate`"))
    assert (DEFAULT_RULES[RuleKind.FAILURE_RATE].hold_s, row.endswith("for 1 m |")) == (60, True)
    assert DEFAULT_RULES[RuleKind.WORKER_LOST].cooldown_s == 300
    assert "`cooldown` (default `30m`, for `worker_lost` `5m`:" in PAGE


def test_the_rule_for_prometheus_is_that_of_the_deployment() -> None:
    """As `deploy/` has it."""
    (snippet,) = re.findall(r"```yaml\n(  - alert.*?)```", PAGE, re.DOTALL)
    (group,) = YAML(typ="safe").load(PROMETHEUS)["groups"]
    assert YAML(typ="safe").load(snippet)[0] in group["rules"]


def test_the_example_of_a_receiver_works() -> None:
    """As it stands in the page."""
    names: dict[str, Any] = {}
    exec(re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)[0], names)
    now = int(time.time())
    good, old = sign("key", b"{}", now=now), sign("key", b"{}", now=now - 400)
    answers = [names["genuine"](*one) for one in (("key", good, b"{}"), ("no", good, b"{}"), ("key", old, b"{}"))]
    assert answers == [True, False, False]
    assert not names["genuine"]("key", "nonsense", b"{}")
