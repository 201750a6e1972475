"""What the row of a heal tells: why this element was taken, and both fingerprints. Pure; masks secrets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from processors.browser.protocol import Heal
from processors.execution.redaction import redact_json
from processors.healing.explain import explain
from processors.healing.fingerprint import Fingerprint, fingerprint_document


def evidence_of(heal: Heal, secrets: Mapping[str, str]) -> dict[str, Any]:
    """`summary` (one line), `properties` (a table, the weightiest first) and the fingerprints `old` and `new`."""
    explanation = explain(heal.decision)
    document = {
        "summary": explanation.line,
        "properties": [asdict(row) | {"verdict": row.verdict} for row in explanation.rows],
        "old": plain_document(heal.old),
        "new": plain_document(heal.new),
    }
    cleaned: dict[str, Any] = redact_json(document, secrets)
    return cleaned


def plain_document(fingerprint: Fingerprint) -> dict[str, Any]:
    """A fingerprint as the store gives it back: lists, no tuples, and nothing of the moment."""
    return {key: _lists(value) for key, value in fingerprint_document(fingerprint).items() if key != "usable"}


def _lists(value: Any) -> Any:
    return [_lists(item) for item in value] if isinstance(value, (list, tuple)) else value
