"""The rows and files of one run, as reports read them."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

from qa_queue.models import ArtifactKind
from qa_queue.reports.model import Evidence
from qa_queue.reports.pytest_facts import ACTION
from qa_queue.store.artifacts import ArtifactFiles
from qa_queue.store.records import AdaptationRow, ArtifactRecord, CaseRecord, RunRecord, StepRecord

_Row = TypeVar("_Row", StepRecord, ArtifactRecord, AdaptationRow)


def by_run(rows: Sequence[_Row]) -> Mapping[str, list[_Row]]:
    """Return the rows of each run, in their order; of a run without rows, none."""
    found: defaultdict[str, list[_Row]] = defaultdict(list)
    for row in rows:
        found[row.test_run_id].append(row)
    return found


@dataclass(frozen=True, kw_only=True)
class EvidencePlace:
    """The place of the files, and before each link, the address of the pages that serve them.

    Without `paths`, a report does not name the folder.
    """

    files: ArtifactFiles
    pages: str = ""
    paths: bool = True

    def link(self, row: ArtifactRecord) -> str:
        """Return the address of a file; of a trace, that of the page which shows it."""
        shown = "/trace" if row.kind is ArtifactKind.TRACE else ""
        return f"{self.pages}/runs/{row.test_run_id}/artifacts/{row.id}{shown}"


@dataclass(frozen=True)
class RunRows:
    """A run with its case, and the rows of its attempts."""

    run: RunRecord
    case: CaseRecord | None
    steps: Sequence[StepRecord]
    files: Sequence[ArtifactRecord]
    healed: Sequence[AdaptationRow]
    place: EvidencePlace

    @property
    def attempts(self) -> list[int]:
        """The numbers of the attempts that left rows, or that of the run."""
        numbers = {step.attempt for step in self.steps} | {file.attempt for file in self.files}
        return sorted(numbers) or ([self.run.attempt] if self.run.attempt else [])

    @cached_property
    def of_suite(self) -> bool:
        """True if the run has run pytest tests."""
        if any(step.action.startswith(ACTION) for step in self.steps):
            return True
        return self.case is not None and "pytest" in self.case.definition

    def console(self, attempt: int) -> list[dict[str, Any]]:
        """Return the entries of an attempt's console artifact; a file that is missing or damaged gives none."""
        wanted = (one for one in self.files if one.attempt == attempt and one.kind is ArtifactKind.CONSOLE)
        file = next(wanted, None)
        path = self.place.files.find(file.path) if file else None
        try:
            lines = path.read_text(encoding="utf-8").splitlines() if path else []
            return [json.loads(line) for line in lines]
        except (OSError, ValueError):
            return []

    def evidence(self, attempt: int) -> tuple[Evidence, ...]:
        """Return the files of an attempt."""
        positions = {step.number: step.place for step in self.steps if step.attempt == attempt}
        return tuple(self._evidence(file, positions) for file in self.files if file.attempt == attempt)

    def _evidence(self, row: ArtifactRecord, positions: dict[int, str]) -> Evidence:
        path = self.place.files.find(row.path) if self.place.paths else None  # may fetch it from another machine
        return Evidence(
            kind=row.kind.value,
            name=row.name,
            content_type=row.content_type,
            size_bytes=row.size_bytes,
            attempt=row.attempt,
            step=positions.get(row.step_number) if row.step_number is not None else None,
            path=str(path) if path else None,
            link=self.place.link(row),
        )
