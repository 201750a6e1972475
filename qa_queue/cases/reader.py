"""Reading a case file: its document, and the line on which each value stands.

Reading case files: what a file is (case, suite, recording) and what it holds.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from qa_queue.cases.document_path import CaseProblem, DocumentPath, Invalid, KeyPath, Report, case_error
from qa_queue.cases.exporters.yaml import case_document
from qa_queue.cases.importers.cinnamon import is_legacy, legacy_notes
from qa_queue.cases.importers.recorder import convert_recording, is_recording
from qa_queue.cases.json_source import read_json
from qa_queue.cases.model import Case
from qa_queue.cases.parse import parse_case, read_case, read_suite
from qa_queue.cases.yaml_source import read_yaml
from qa_queue.errors import CaseError

MAX_BYTES = 5_000_000
_READERS = {".yaml": read_yaml, ".yml": read_yaml, ".json": read_json}


@dataclass(frozen=True)
class Source:
    """A file as read: `document` is made of dicts, lists and scalars; lines count from 1.

    `problems` are those of the reading itself, such as a key that is there twice.
    """

    name: str
    document: Any
    lines: dict[KeyPath, int] = field(default_factory=dict)
    problems: tuple[CaseProblem, ...] = ()

    def report(self) -> Report:
        """The list of problems, begun with those of the reading."""
        return Report(self.name, self.lines, list(self.problems))


def read_source(path: Path, least: str = "a case has at least 'name' and 'steps'") -> Source:
    """Read a .yaml, .yml or .json file; `least` says of an empty one what it lacks.

    Raises:
        CaseError: it cannot be read, is empty, too large, not UTF-8, or not YAML or JSON.
    """
    name = str(path)
    reader = _READERS.get(path.suffix.lower())
    text = _read_text(path)
    if reader is None:
        raise _broken(name, f"{path.suffix or 'a file without a suffix'} is not read: give .yaml, .yml or .json")
    if not text.strip():
        raise _broken(name, f"is empty; {least}")
    document, lines, problems = reader(text, name)
    return Source(name, document, lines, tuple(problems))


def _read_text(path: Path) -> str:
    try:
        if path.is_dir():
            raise _broken(str(path), "is a folder: give a file")
        if path.stat().st_size > MAX_BYTES:
            raise _broken(str(path), f"is larger than {MAX_BYTES // 1_000_000} MB, which no case file is")
        return path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise _broken(str(path), "does not exist") from None
    except PermissionError:
        raise _broken(str(path), "cannot be read: permission denied") from None
    except UnicodeDecodeError as error:
        raise _broken(str(path), f"is not UTF-8 (byte {error.start}): save it as UTF-8") from None
    except OSError as error:
        raise _broken(str(path), f"cannot be read: {error.strerror or error}") from None


def _broken(name: str, text: str) -> CaseError:
    return case_error([CaseProblem(name, (), text)])


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
    converted = convert_recording(DocumentPath(report), source.document, default_name=stem)
    report.raise_if_any()
    return LoadedFile((converted.case,), converted.notes, source.name)


def _cases(source: Source) -> tuple[Case, ...]:
    report = source.report()
    place = DocumentPath(report)
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
