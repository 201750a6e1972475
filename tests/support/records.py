"""Records for tests: valid as they come, each field open to an override."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from qa_queue.models import ArtifactKind, RunStatus, StepStatus
from qa_queue.store.records import (
    AdaptationRow,
    ArtifactRecord,
    CaseRecord,
    FingerprintRecord,
    PatternRecord,
    RunRecord,
    StepRecord,
    VerdictRecord,
    adaptation_id,
    artifact_id,
    case_id,
    digest,
    fingerprint_id,
    pattern_id,
    step_id,
    verdict_id,
)

NOON = datetime(2026, 1, 8, 12, 0, 0, tzinfo=UTC)


def case_record(**overrides: Any) -> CaseRecord:
    """A case of a name of its own; `definition` decides the content hash unless that is given."""
    key = overrides.get("key", f"case {uuid4()}")
    definition = overrides.get("definition", {"version": 1, "name": key, "steps": [{"goto": "/"}]})
    values = {
        "id": case_id(key),
        "key": key,
        "name": key,
        "definition": definition,
        "content_hash": digest(definition),
    }
    return CaseRecord(**values | overrides)


def run_record(case: CaseRecord | str, **overrides: Any) -> RunRecord:
    """A queued run of a case."""
    parent = case if isinstance(case, str) else case.id
    return RunRecord(**{"id": str(uuid4()), "test_case_id": parent, "queued_at": NOON} | overrides)


def finished_run(case: CaseRecord | str, status: RunStatus = RunStatus.COMPLETED, **overrides: Any) -> RunRecord:
    """A run that ended one minute after it was queued; `finished_at` moves both."""
    finished = overrides.pop("finished_at", NOON)
    times = {"queued_at": finished - timedelta(minutes=1), "finished_at": finished}
    return run_record(case, status=status, **times | overrides)


def step_record(run: RunRecord | str, number: int = 1, attempt: int = 1, **overrides: Any) -> StepRecord:
    """A step that passed."""
    parent = run if isinstance(run, str) else run.id
    values = {
        "id": step_id(parent, attempt, number),
        "test_run_id": parent,
        "attempt": attempt,
        "number": number,
        "step_key": f"step-{number}",
        "action": "click",
        "name": f"Click {number}",
        "status": StepStatus.PASSED,
        "started_at": NOON + timedelta(seconds=number),
        "duration_ms": 12,
    }
    return StepRecord(**values | overrides)


def artifact_record(
    run: RunRecord | str, name: str = "failure.png", attempt: int = 1, **overrides: Any
) -> ArtifactRecord:
    """A screenshot's row."""
    parent = run if isinstance(run, str) else run.id
    values = {
        "id": artifact_id(parent, attempt, name),
        "test_run_id": parent,
        "attempt": attempt,
        "kind": ArtifactKind.SCREENSHOT,
        "name": name,
        "path": f"{parent}/{attempt}/{name}",
        "content_type": "image/png",
        "size_bytes": 3,
        "sha256": "0" * 64,
        "created_at": NOON,
    }
    return ArtifactRecord(**values | overrides)


def adaptation_row(run: RunRecord, number: int = 1, attempt: int = 1, **overrides: Any) -> AdaptationRow:
    """A fallback that was used."""
    values = {
        "id": adaptation_id(run.id, attempt, number),
        "test_run_id": run.id,
        "test_case_id": run.test_case_id,
        "attempt": attempt,
        "step_number": number,
        "step_key": f"step-{number}",
        "reason": "fallback",
        "old_target": {"css": "#old"},
        "new_target": {"css": "#new"},
        "created_at": NOON,
    }
    return AdaptationRow(**values | overrides)


def pattern_record(case: CaseRecord | str, **overrides: Any) -> PatternRecord:
    """A locator that was tried four times and matched three."""
    parent = case if isinstance(case, str) else case.id
    step_key = overrides.get("step_key", "step-1")
    locator = overrides.get("locator", {"css": "#go"})
    values = {
        "id": pattern_id(parent, step_key, locator),
        "test_case_id": parent,
        "step_key": step_key,
        "locator": locator,
        "tried": 4,
        "matched": 3,
        "confidence": 0.3,
        "last_seen_at": NOON,
    }
    return PatternRecord(**values | overrides)


def fingerprint_record(case: CaseRecord | str, **overrides: Any) -> FingerprintRecord:
    """A button."""
    parent = case if isinstance(case, str) else case.id
    step_key = overrides.get("step_key", "step-1")
    document = overrides.get("document", {"tag": "button", "text": "Go"})
    values = {
        "id": fingerprint_id(parent, step_key),
        "test_case_id": parent,
        "step_key": step_key,
        "target_hash": digest({"css": "#go"}),
        "content_hash": digest(document),
        "document": document,
        "seen_at": NOON,
    }
    return FingerprintRecord(**values | overrides)


def verdict_record(case: CaseRecord | str, **overrides: Any) -> VerdictRecord:
    """A locator that somebody rejected."""
    parent = case if isinstance(case, str) else case.id
    step_key, locator = overrides.get("step_key", "step-1"), overrides.get("locator", {"css": "#go"})
    values = {
        "id": verdict_id(parent, step_key, locator),
        "test_case_id": parent,
        "step_key": step_key,
        "locator": locator,
        "verdict": "rejected",
        "judged_by": "ann",
        "judged_at": NOON,
    }
    return VerdictRecord(**values | overrides)
