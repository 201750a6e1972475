"""`qa-alerts.yaml`: what it changes, and how a mistake in it is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from qa_queue.errors import CaseError, InputError
from qa_queue.monitoring.alerts.config import AlertConfig, Channel
from qa_queue.monitoring.alerts.loader import channels_of_setting, load_config
from qa_queue.monitoring.alerts.rules import DEFAULTS, Severity
from qa_queue.monitoring.alerts.source import ConfigSource, alert_config
from qa_queue.settings import load_settings

QUEUES = ("test-execution", "cleanup")


def load(folder: Path, text: str, **secrets: str) -> AlertConfig:
    file = folder / "qa-alerts.yaml"
    file.write_text(text)
    return load_config(file, QUEUES, secrets)


def test_rules_that_are_not_named_stay_as_they_come(tmp_path: Path) -> None:
    """A rule of a kind's name changes that one, another name adds one, false takes one away."""
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
    assert config.rules["no_worker"] == DEFAULTS[config.rules["no_worker"].kind]
    assert "worker_lost" not in config.rules
    assert config.every_s == 2


def test_channels_take_their_passwords_from_the_environment_and_do_not_show_them(tmp_path: Path) -> None:
    """`${secret.X}` is filled in; neither `repr` nor the kind tells it."""
    text = """
version: 1
channels:
  mail: {url: "mailtos://ann:${secret.MAIL}@mail.example.com", severity: critical}
  hook: {webhook: "https://ops.example.com/hook", secret: "${secret.HOOK}", timeout: 3s}
"""
    mail, hook = load(tmp_path, text, MAIL="p4ssword", HOOK="s1gner").channels
    assert (mail.url, mail.severity, mail.kind) == (
        "mailtos://ann:p4ssword@mail.example.com",
        Severity.CRITICAL,
        "mailtos",
    )
    assert (hook.secret, hook.timeout_s, hook.kind) == ("s1gner", 3, "webhook")
    assert "p4ssword" not in repr(mail)
    assert "s1gner" not in repr(hook)


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("version: 1\nrules:\n  queue_dept: {above: 3}", 3, "did you mean 'queue_depth'?"),
        ("version: 1\nrules:\n  mine: {kind: depth}", 3, "is no kind of rule"),
        ("version: 1\nrules:\n  queue_depth:\n    over: 3", 4, "unknown key 'over'"),
        ("version: 1\nrules:\n  queue_depth: {above: many}", 3, "expected a whole number"),
        ("version: 1\nrules:\n  failure_rate: {above: 50}", 3, "out of range: 0 to 1"),
        ("version: 1\nrules:\n  no_worker: {above: 3}", 3, "unknown key 'above'"),
        ("version: 1\nrules:\n  no_worker: {for: 5}", 3, "write 30s, 5m or 1h"),
        ("version: 1\nrules:\n  no_worker: {queues: [tests]}", 3, "is not one of test-execution, cleanup"),
        ("version: 1\nrules:\n  no_worker: true", 3, "false to turn a rule off"),
        ("version: 1\nrules: [no_worker]", 2, "expected a mapping of rules"),
        ("version: 1\nchannels:\n  a: {}", 3, "give either url (for apprise) or webhook"),
        ("version: 1\nchannels:\n  a: {url: somewhere}", 3, "no URL as apprise takes it"),
        ("version: 1\nchannels:\n  a: {webhook: 'https://x.example'}", 3, "needs secret"),
        ("version: 1\nchannels:\n  a: {webhook: 'ftp://x', secret: s}", 3, "no http:// or https:// address"),
        ("version: 1\nchannels:\n  a: {url: 'mailto://x', secret: s}", 3, "only a webhook is signed"),
        ("version: 1\nchannels:\n  a: {url: 'mailto://${secret.GONE}'}", 3, "set QA_SECRET_GONE"),
        ("version: 1\nchannels:\n  a: {url: 'mailto://${env.X}'}", 3, "write ${secret.X}"),
        ("version: 2", 1, "out of range: 1 to 1"),
        ("every: 5s", 1, "'version' is missing"),
        ("version: 1\nrul: {}", 2, "did you mean 'rules'?"),
        ("version: 1\nx: {}", 2, "known are channels, every, group_wait, rules, version"),
        ("version: 1\nchannels: []", 2, "expected a mapping from names to channels"),
        ("- a", 1, "expected a mapping"),
        ("version: 1\nversion: 1", 2, "there twice"),
        ("version: [1", 1, "not YAML"),
    ],
)
def test_a_mistake_is_named_with_its_file_and_line(tmp_path: Path, text: str, line: int, words: str) -> None:
    """And what to write instead; nothing is taken from such a file."""
    with pytest.raises(CaseError) as caught:
        load(tmp_path, text)
    assert words in str(caught.value)
    assert f"qa-alerts.yaml:{line}" in str(caught.value)


def test_every_mistake_is_named_at_once(tmp_path: Path) -> None:
    """Not only the first."""
    with pytest.raises(CaseError) as caught:
        load(tmp_path, "version: 1\nevery: 1\nrules:\n  a: 1\n  b: 2\nchannels:\n  c: 3\n")
    assert len(caught.value.problems) == 4


def test_channels_by_a_setting_are_urls_with_spaces_between_them() -> None:
    """One that is none is named by its number and not shown."""
    assert channels_of_setting("mailto://a@b.example  slack://T1/T2") == (
        Channel(name="setting-1", url="mailto://a@b.example"),
        Channel(name="setting-2", url="slack://T1/T2"),
    )
    with pytest.raises(InputError, match="number 2 of 2") as caught:
        channels_of_setting("mailto://a@b.example p4ssword")
    assert "p4ssword" not in str(caught.value)


def test_without_a_file_there_are_the_defaults_and_nobody_to_tell(tmp_path: Path, monkeypatch) -> None:
    """A file that was asked for and is not there is a mistake."""
    monkeypatch.chdir(tmp_path)
    config = alert_config(load_settings())
    assert (set(config.rules), config.channels) == ({rule.name for rule in DEFAULTS.values()}, ())
    with pytest.raises(CaseError, match="does not exist"):
        alert_config(load_settings(qa_alerts_file=tmp_path / "gone.yaml"))


def test_a_file_that_breaks_while_the_service_runs_changes_nothing(tmp_path: Path, caplog) -> None:
    """It is told once; what is right again counts at the next look."""
    file = tmp_path / "qa-alerts.yaml"
    file.write_text("version: 1\nevery: 2s\n")
    source = ConfigSource(load_settings(qa_alerts_file=file))
    first = source.current()
    file.write_text("version: 1\nevery: soon\n")
    assert source.current() is first
    assert source.current() is first
    assert caplog.text.count("'soon' is no duration") == 1
    file.write_text("version: 1\nevery: 10s\n")
    assert source.current().every_s == 10


@pytest.mark.parametrize("key", ["rules", "channels"])
def test_what_is_commented_out_as_a_whole_is_none(key: str, tmp_path: Path) -> None:
    """As when one tries the service without its channels."""
    config = load(tmp_path, f"version: 1\n{key}:\n#  one: {{}}\n")
    assert config.channels == ()
    assert config.rules == AlertConfig().rules


def test_an_empty_file_is_told_what_it_lacks(tmp_path: Path) -> None:
    """And nothing of cases."""
    with pytest.raises(CaseError, match=r"qa-alerts\.yaml: is empty; it has at least 'version: 1'"):
        load(tmp_path, " \n")
