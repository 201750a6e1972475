"""Reads `qa-alerts.yaml`: every mistake with file, line and the nearest known word."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from qa_queue.cases.document_path import INVALID, DocumentPath, did_you_mean, kind_text
from qa_queue.cases.reader import read_source
from qa_queue.cases.values import Broken, Reference, fill
from qa_queue.errors import InputError
from qa_queue.monitoring.alerts.config import AlertConfig, Channel
from qa_queue.monitoring.alerts.rules import DEFAULTS, Rule, RuleKind, Severity
from qa_queue.monitoring.alerts.shapes import CHANNEL, TOP, rule_keys

Secrets = Mapping[str, str]  # values by name, for `${secret.NAME}`


def load_config(path: Path, queues: Sequence[str], secrets: Secrets) -> AlertConfig:
    """The configuration in a file. `secrets` are the values of `${secret.X}`.

    Raises:
        CaseError: what is wrong with it, each with its line.
    """
    source = read_source(path, "it has at least 'version: 1'")
    report = source.report()
    place = DocumentPath(report)
    document = source.document
    if not isinstance(document, dict):
        place.wrong(f"expected a mapping with version, rules and channels, got {kind_text(document)}")
        document = {}
    top = TOP.read(place, document)
    rules = _rules(place.at("rules"), _present(document, "rules"), tuple(queues))
    channels = _channels(place.at("channels"), _present(document, "channels"), secrets)
    report.raise_if_any()
    assert top is not INVALID
    numbers = {name: top[name] for name in ("every_s", "group_wait_s") if name in top}
    return AlertConfig(rules=rules, channels=tuple(channels), **numbers)


def _present(document: dict[str, Any], key: str) -> Any:
    """What stands under a key; an empty mapping where nothing does, as when all of it is commented out."""
    found = document.get(key)
    return {} if found is None else found


def channels_of_setting(text: str) -> tuple[Channel, ...]:
    """The channels of QA_ALERT_CHANNELS: apprise URLs with spaces between them, named `setting-1` and so on.

    Raises:
        InputError: one is no URL; it is not shown, for it may hold a password.
    """
    urls = text.split()
    wrong = [number for number, url in enumerate(urls, 1) if not _is_url(url)]
    if wrong:
        raise InputError(
            f"QA_ALERT_CHANNELS: number {wrong[0]} of {len(urls)} is no URL: write apprise's URLs, such as "
            "mailto://..., with spaces between them."
        )
    return tuple(Channel(name=f"setting-{number}", url=url) for number, url in enumerate(urls, 1))


def _rules(place: DocumentPath, given: Any, queues: tuple[str, ...]) -> dict[str, Rule]:
    """The defaults, with those given changed, added and taken away."""
    rules = {rule.name: rule for rule in DEFAULTS.values()}
    if not isinstance(given, dict):
        place.wrong(f"expected a mapping of rules, got {kind_text(given)}")
        return rules
    for name, spec in given.items():
        if spec is False and name in rules:
            del rules[name]
        elif (rule := _rule(place.at(name), name, spec, queues)) is not None:
            rules[name] = rule
    return rules


def _rule(place: DocumentPath, name: str, spec: Any, queues: tuple[str, ...]) -> Rule | None:
    if not isinstance(spec, dict):
        place.wrong(f"expected a mapping, or false to turn a rule off, got {kind_text(spec)}")
        return None
    kind = spec.get("kind", name)
    kinds = [known.value for known in RuleKind]
    if kind not in kinds:
        where = place.at("kind") if "kind" in spec else place
        hint = did_you_mean(str(kind), kinds) or f"; known are {', '.join(kinds)}"
        where.wrong(f"{kind!r} is no kind of rule; a rule with a name of its own needs `kind`{hint}")
        return None
    read = rule_keys(RuleKind(kind), queues).read(place, spec)
    if read is INVALID:
        return None
    return DEFAULTS[RuleKind(kind)].model_copy(update=_typed(read) | {"name": name, "kind": RuleKind(kind)})


def _typed(read: dict[str, Any]) -> dict[str, Any]:
    return read | ({"severity": Severity(read["severity"])} if "severity" in read else {})


def _channels(place: DocumentPath, given: Any, secrets: Secrets) -> list[Channel]:
    if not isinstance(given, dict):
        place.wrong(f"expected a mapping from names to channels, got {kind_text(given)}")
        return []
    found = (_channel(place.at(name), name, spec, secrets) for name, spec in given.items())
    return [channel for channel in found if channel is not None]


def _channel(place: DocumentPath, name: str, spec: Any, secrets: Secrets) -> Channel | None:
    if not isinstance(spec, dict):
        place.wrong(f"expected a mapping with url or webhook, got {kind_text(spec)}")
        return None
    read = CHANNEL.read(place, spec)
    if read is INVALID:
        return None
    filled: dict[str, Any] = {
        key: _filled(place.at(key), read[key], secrets) for key in ("url", "webhook", "secret") if key in read
    }
    channel = Channel(name=name, **_typed(read) | filled)
    before = len(place.report.problems)
    _check(place, channel)
    return channel if len(place.report.problems) == before else None


def _check(place: DocumentPath, channel: Channel) -> None:
    if bool(channel.url) == bool(channel.webhook):
        place.wrong("give either url (for apprise) or webhook")
    elif channel.webhook and not channel.secret:
        place.wrong("a webhook needs secret, which signs its messages: secret: ${secret.ALERT_HOOK}")
    elif channel.url and channel.secret:
        place.at("secret").wrong("only a webhook is signed; take secret away")
    elif channel.url and not _is_url(channel.url):
        place.at("url").wrong("is no URL as apprise takes it, such as mailto://... or slack://...")
    elif channel.webhook and not _is_http(channel.webhook):
        place.at("webhook").wrong("is no http:// or https:// address")


def _filled(place: DocumentPath, text: str, secrets: Secrets) -> str:
    """The text with its references filled in; what is missing is reported by name, never by value."""
    return fill(text, partial(_value, place, secrets))


def _value(place: DocumentPath, secrets: Secrets, piece: Reference | Broken) -> str:
    if isinstance(piece, Broken):
        place.wrong(f"{piece.text} {piece.why}")
        return "broken"
    if piece.kind != "secret":
        place.wrong(f"{piece} is not known here: write ${{secret.{piece.name}}} and set QA_SECRET_{piece.name}")
        return "unknown"
    found = secrets.get(piece.name, piece.default)
    if found is None:
        place.wrong(f"{piece} has no value: set QA_SECRET_{piece.name} in the environment of this process")
        return "missing"
    return found


def _is_url(text: str) -> bool:
    scheme, found, rest = text.partition("://")
    return bool(found and rest and scheme.replace("+", "").isalnum())


def _is_http(text: str) -> bool:
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)
