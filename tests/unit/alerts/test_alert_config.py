"""`qa-alerts.yaml`: the rules and channels that it sets, and how a mistake in it is reported."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import BaseModel

from qa_queue.errors import CaseError, InputError
from qa_queue.monitoring.alerts.config import (
    AlertChannel,
    AlertConfig,
    ConfigSource,
    alert_config,
    load_config,
    setting_channels,
)
from qa_queue.monitoring.alerts.rules import RETIRED, Rule, RuleKind, Severity
from qa_queue.settings import load_settings
from tests.support.alerting import DEFAULT_RULES

QUEUES = ("test-execution", "cleanup")


def _models(root: type[BaseModel]) -> list[type[BaseModel]]:
    return [root, *(model for one in root.__subclasses__() for model in _models(one))]


def load(folder: Path, text: str, **secrets: str) -> AlertConfig:
    file = folder / "qa-alerts.yaml"
    file.write_text(text)
    return load_config(file, QUEUES, secrets)


def test_rules_that_are_not_named_keep_their_defaults(tmp_path: Path) -> None:
    """A rule of a kind's name changes that one, another name adds one, false removes one."""
    text = """
version: 1
every: 2s
rules:
  queue_depth: {above: 10, for: 1m, severity: critical}
  backlog: {kind: queue_depth, queues: cleanup, above: 50, repeat: 0s}
  disk_low: {below_mb: 500}
  worker_lost: false
"""
    config = load(tmp_path, text)
    depth, backlog = config.rules["queue_depth"], config.rules["backlog"]
    assert (depth.limit, depth.hold_s, depth.severity, depth.queues) == (10, 60, Severity.CRITICAL, ())
    assert (backlog.limit, backlog.repeat_s, backlog.queues) == (50, 0, ("cleanup",))
    assert config.rules["disk_low"].limit == 500 * 2**20
    assert config.rules["no_worker"] == DEFAULT_RULES["no_worker"]
    assert "worker_lost" not in config.rules
    assert config.every_s == 2


def test_channels_take_their_passwords_from_the_environment_and_do_not_show_them(tmp_path: Path) -> None:
    """`${secret.X}` is filled in; neither `repr` nor the kind shows it."""
    text = """
version: 1
channels:
  mail: {url: "mailtos://ann:${secret.MAIL}@mail.example.com", severity: critical}
  hook: {webhook: "https://ops.example.com/hook", secret: "${secret.HOOK}", timeout: 3s}
"""
    channels = load(tmp_path, text, MAIL="p4ssword", HOOK="s1gner").channels
    mail, hook = channels["mail"], channels["hook"]
    assert (mail.service_url, mail.severity, mail.kind) == (
        "mailtos://ann:p4ssword@mail.example.com",
        Severity.CRITICAL,
        "mailtos",
    )
    assert (hook.signing_secret, hook.timeout_s, hook.kind) == ("s1gner", 3, "webhook")
    assert "p4ssword" not in repr(mail)
    assert "s1gner" not in repr(hook)


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("version: 1\nrules:\n  queue_dept: {above: 3}", 3, "did you mean 'queue_depth'?"),
        ("version: 1\nrules:\n  mine: {kind: depth}", 3, "is not a kind of rule"),
        ("version: 1\nrules:\n  queue_depth:\n    over: 3", 4, "unknown key 'over'"),
        ("version: 1\nrules:\n  queue_depth: {above: many}", 3, "expected a whole number"),
        ("version: 1\nrules:\n  failure_rate: {above: 50}", 3, "out of range: 0 to 1"),
        ("version: 1\nrules:\n  no_worker: {above: 3}", 3, "unknown key 'above'"),
        ("version: 1\nrules:\n  no_worker: {for: 5}", 3, "the number 5 is not a duration; write 30s, 5m or 1h"),
        ("version: 1\nrules:\n  no_worker: {for: 25h}", 3, "'25h' is out of range: 0s to 86400s"),
        ("version: 1\nrules:\n  dead_letter: {window: 2h}", 3, "'2h' is out of range: 60s to 3600s"),
        ("version: 1\nrules:\n  disk_low: {below_mb: 0}", 3, "expected a whole number of MiB from 1"),
        ("version: 1\nrules:\n  queue_depth: {abov: 3}", 3, "did you mean 'above'?"),
        ("version: 1\nrules:\n  queue_depth: {severity: critcal}", 3, "did you mean 'critical'?"),
        ("version: 1\nrules:\n  queue_depth: {queues: [cleanupp]}", 3, "did you mean 'cleanup'?"),
        ("version: 1\nrules:\n  no_worker: {queues: [tests]}", 3, "is not one of test-execution, cleanup"),
        ("version: 1\nrules:\n  no_worker: true", 3, "false to turn a rule off"),
        ("version: 1\nrules: [no_worker]", 2, "rules: expected a mapping, got a list"),
        ("version: 1\nchannels:\n  a: {}", 3, "give either url (for apprise) or webhook"),
        ("version: 1\nchannels:\n  a: {url: somewhere}", 3, "not a URL as apprise takes it"),
        ("version: 1\nchannels:\n  a: {webhook: 'https://x.example'}", 3, "needs secret"),
        ("version: 1\nchannels:\n  a: {webhook: 'ftp://x', secret: s}", 3, "not an http:// or https:// address"),
        ("version: 1\nchannels:\n  a: {url: 'mailto://x', secret: s}", 3, "only a webhook is signed"),
        ("version: 1\nchannels:\n  a: {url: 'mailto://${secret.GONE}'}", 3, "set QA_SECRET_GONE"),
        ("version: 1\nchannels:\n  a: {url: 'mailto://${env.X}'}", 3, "write ${secret.X}"),
        ("version: 2", 1, "the number 2 is not one of 1"),
        ("every: 5s", 1, "'version' is missing"),
        ("version: 1\nrul: {}", 2, "did you mean 'rules'?"),
        ("version: 1\nx: {}", 2, "known are channels, every, group_wait, rules, version"),
        ("version: 1\nchannels: []", 2, "channels: expected a mapping, got a list"),
        ("- a", 1, "expected a mapping"),
        ("version: 1\nversion: 1", 2, "there twice"),
        ("version: [1", 1, "not YAML"),
    ],
)
def test_a_mistake_is_reported_with_its_file_and_line(tmp_path: Path, text: str, line: int, words: str) -> None:
    """And with what to write instead; nothing is taken from such a file."""
    with pytest.raises(CaseError) as caught:
        load(tmp_path, text)
    assert words in str(caught.value)
    assert f"qa-alerts.yaml:{line}" in str(caught.value)


def test_every_mistake_is_reported_at_once(tmp_path: Path) -> None:
    """Not only the first."""
    with pytest.raises(CaseError) as caught:
        load(tmp_path, "version: 1\nevery: 1\nrules:\n  a: 1\n  b: 2\nchannels:\n  c: 3\n")
    assert len(caught.value.problems) == 4


def test_channels_of_the_setting_are_urls_separated_by_spaces() -> None:
    """One that is not a URL is reported by its number and not shown."""
    found = setting_channels("mailto://a@b.example  slack://T1/T2")
    assert {name: channel.service_url for name, channel in found.items()} == {
        "setting-1": "mailto://a@b.example",
        "setting-2": "slack://T1/T2",
    }
    with pytest.raises(InputError, match="number 2 of 2") as caught:
        setting_channels("mailto://a@b.example p4ssword")
    assert "p4ssword" not in str(caught.value)


def test_without_a_file_there_are_the_default_rules_and_no_channels(tmp_path: Path, monkeypatch) -> None:
    """A file that was named and does not exist is a mistake."""
    monkeypatch.chdir(tmp_path)
    config = alert_config(load_settings())
    assert (set(config.rules), config.channels) == ({kind.value for kind in RuleKind}, {})
    with pytest.raises(CaseError, match="does not exist"):
        alert_config(load_settings(qa_alerts_file=tmp_path / "gone.yaml"))


def test_a_file_that_breaks_while_the_service_runs_changes_nothing(tmp_path: Path, caplog) -> None:
    """It is logged once; a corrected file takes effect at the next evaluation."""
    file = tmp_path / "qa-alerts.yaml"
    file.write_text("version: 1\nevery: 2s\n")
    source = ConfigSource(load_settings(qa_alerts_file=file))
    first = source.current()
    file.write_text("version: 1\nevery: soon\n")
    assert source.current() is first
    assert source.current() is first
    assert caplog.text.count("'soon' is not a duration") == 1
    file.write_text("version: 1\nevery: 10s\n")
    assert source.current().every_s == 10


@pytest.mark.parametrize("key", ["rules", "channels"])
def test_a_key_without_entries_is_empty(key: str, tmp_path: Path) -> None:
    """As when all of its lines are commented out."""
    config = load(tmp_path, f"version: 1\n{key}:\n#  one: {{}}\n")
    assert config.channels == {}
    assert config.rules == DEFAULT_RULES


def test_an_empty_file_is_reported_with_what_it_needs(tmp_path: Path) -> None:
    """The message is about alerts, not about cases."""
    with pytest.raises(CaseError, match=r"qa-alerts\.yaml: is empty; it has at least 'version: 1'"):
        load(tmp_path, " \n")


@pytest.mark.parametrize("spec", ["false", "{for: 1s}", "{}"])
def test_a_rule_of_a_retired_kind_is_ignored(spec: str, tmp_path: Path) -> None:
    """Files of older versions stay valid."""
    (kind,) = RETIRED
    config = load(tmp_path, f"version: 1\nrules:\n  {kind}: {spec}\n  mine: {{kind: {kind}}}\n")
    assert config.rules == DEFAULT_RULES


@pytest.mark.parametrize("model", [AlertConfig, AlertChannel, *_models(Rule)], ids=lambda model: model.__name__)
def test_every_key_of_the_file_is_described(model: type[BaseModel]) -> None:
    """By its field; a kind of rule by its model's docstring."""
    undescribed = [name for name, field in model.model_fields.items() if not field.description]
    assert set(undescribed) <= {"kind"}
    assert model.__doc__


def test_secrets_are_not_shown_by_a_mistake(tmp_path: Path) -> None:
    """Not even one that is written into the file itself."""
    text = "version: 1\nchannels:\n  a: {webhook: 'ftp://t0ken', secret: 13579}\n"
    with pytest.raises(CaseError) as caught:
        load(tmp_path, text)
    assert len(caught.value.problems) == 2
    assert "t0ken" not in str(caught.value)
    assert "13579" not in str(caught.value)
