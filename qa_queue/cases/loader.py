"""Reading case files: what a file is (case, suite, recording) and what it holds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qa_queue.cases.document import case_document
from qa_queue.cases.legacy import is_legacy, legacy_notes
from qa_queue.cases.model import Case
from qa_queue.cases.parse import parse_case, read_case, read_suite
from qa_queue.cases.places import Invalid, Place
from qa_queue.cases.recorder import convert_recording, is_recording
from qa_queue.cases.source import Source, read_source

__all__ = ["LoadedFile", "case_document", "load_cases", "load_file", "parse_case"]


@dataclass(frozen=True)
class LoadedFile:
    """The cases of a file. `warnings` say, a sentence each, what an import could not carry over."""

    cases: tuple[Case, ...]
    warnings: tuple[str, ...] = ()
    source: str = ""


def load_cases(path: Path) -> tuple[Case, ...]:
    """The cases of a .yaml, .yml or .json file: one case, a suite, or a Chrome DevTools Recorder's recording.

    Raises:
        CaseError: the file cannot be used; its `problems` are all that is wrong with it, with path and line.
    """
    return load_file(path).cases


def load_file(path: Path) -> LoadedFile:
    """As `load_cases`, with the importer's warnings.

    Raises:
        CaseError: the file cannot be used; its `problems` are all that is wrong with it, with path and line.
    """
    source = read_source(path)
    if is_recording(source.document):
        return _recording(source, path.stem)
    return LoadedFile(_cases(source), _legacy_warnings(source.document), source.name)


def _recording(source: Source, stem: str) -> LoadedFile:
    report = source.report()
    converted = convert_recording(Place(report), source.document, default_name=stem)
    report.raise_if_any()
    return LoadedFile((converted.case,), converted.notes, source.name)


def _cases(source: Source) -> tuple[Case, ...]:
    report = source.report()
    place = Place(report)
    cases: list[Case | Invalid]
    cases = (
        read_suite(place, source.document) if _is_suite(source.document) else [read_case(place, source.document)]
    )
    report.raise_if_any()
    return tuple(case for case in cases if isinstance(case, Case))


def _is_suite(document: Any) -> bool:
    return isinstance(document, dict) and ("cases" in document or "suite" in document)


def _legacy_warnings(document: Any) -> tuple[str, ...]:
    return legacy_notes(document) if is_legacy(document) else ()
