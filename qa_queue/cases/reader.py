"""Reading case files: a case, a suite, a recording, in YAML or JSON, with the line of every problem."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from qa_queue.cases.actions import UseFlow
from qa_queue.cases.data_files import check_data_file, csv_rows, with_baselines
from qa_queue.cases.document_path import DocumentPath, ProblemReport, case_error
from qa_queue.cases.flows import FlowFiles, flow_problems
from qa_queue.cases.importers.cinnamon import from_legacy, is_legacy
from qa_queue.cases.importers.recorder import convert_recording, is_recording
from qa_queue.cases.logins import login_problems
from qa_queue.cases.model import MAX_STEPS, Case, Flow, Suite, read_document
from qa_queue.cases.steps import Step
from qa_queue.cases.yaml_source import MAX_CHARS, SourceMapping, located, read_json, read_yaml
from qa_queue.errors import CaseError
from qa_queue.errors.schema_path import KeyPath
from qa_queue.errors.validation import Lines, Problem, kind_text

MAX_BYTES = MAX_CHARS
_READERS = {".yaml": read_yaml, ".yml": read_yaml, ".json": read_json}


@dataclass(frozen=True)
class Source:
    """A file as read: `document` is made of dicts, lists and scalars; lines count from 1.

    `problems` are those of the reading itself, such as a repeated key.
    """

    name: str
    document: Any
    lines: dict[KeyPath, int] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()

    def report(self) -> ProblemReport:
        """Return the list of problems, begun with those of the reading."""
        return ProblemReport(self.name, self.lines, list(self.problems))


@dataclass(frozen=True)
class LoadedFile:
    """The cases of a file."""

    cases: tuple[Case, ...]
    source: str = ""
    flow: Case | None = None  # of the file of a flow: a case that does nothing else

    @property
    def warnings(self) -> tuple[str, ...]:
        """The losses of the imports that made the cases, a sentence for each."""
        return tuple(note for case in self.cases for note in case.notes)


def load_cases(path: Path) -> tuple[Case, ...]:
    """Return the cases of a .yaml, .yml or .json file: a case, a suite, or a recording of Chrome DevTools Recorder.

    Raises:
        CaseError: the file cannot be used; its `problems` are all that is wrong with it, with path and line.
    """
    return load_file(path).cases


def load_file(path: Path) -> LoadedFile:
    """Return the cases as `load_cases`, with the losses of their import.

    Raises:
        CaseError: the file cannot be used; its `problems` are all that is wrong with it, with path and line.
    """
    source = read_source(path)
    report = source.report()
    if is_recording(source.document):
        converted = convert_recording(DocumentPath(report), source.document, default_name=path.stem)
        report.raise_if_any()
        return LoadedFile((converted.case,), source.name)
    if is_flow(source.document):
        return _load_flow(path, source, report)
    cases = read_cases(report, source.document, path.parent)
    report.raise_if_any()
    return LoadedFile(tuple(with_baselines(case, path) for case in cases), source.name)


def prepare_reader() -> None:
    """Build what the first case would otherwise wait for."""
    Case.model_rebuild()


def parse_case(document: Any, *, source: str, lines: Lines | None = None) -> Case:
    """Return the case of one document in the file's own form. `source` and `lines` are for messages only.

    Raises:
        CaseError: the document breaks the format; all of its problems are in the error.
    """
    report = ProblemReport(source, lines or {})
    case = read_case(report, document)
    report.raise_if_any()
    assert case is not None
    return case


def read_cases(report: ProblemReport, document: Any, folder: Path | None = None) -> tuple[Case, ...]:
    """Return the cases of a document that holds one case or a suite; problems go to the report."""
    if isinstance(document, dict) and ("cases" in document or "suite" in document):
        return _read_suite(report, document, folder)
    case = read_case(report, document, folder=folder)
    return () if case is None else (case,)


def read_case(report: ProblemReport, document: Any, at: KeyPath = (), *, folder: Path | None = None) -> Case | None:
    """Return the case of a document at a path of its file; None where it has problems, which go to the report.

    `folder` is that of the file, from which flows are read; without it, the case has its flows under `flows`.
    """
    case = _read_alone(report, document, at, folder)
    return None if case is None else _with_flows(report, case, at, folder)


def _read_alone(report: ProblemReport, document: Any, at: KeyPath, folder: Path | None) -> Case | None:
    if is_legacy(document):
        document = from_legacy(DocumentPath(report, at), document)
    if _has_too_many_steps(report, document, at):
        return None
    if folder is not None and isinstance(document, dict) and isinstance(document.get("data"), str):
        document = _with_rows(report, document, at, folder)
    case, problems = read_document(Case, document, at=at, source=report.source, lines=report.lines)
    report.problems += problems
    return case if isinstance(case, Case) else None


def _has_too_many_steps(report: ProblemReport, document: Any, at: KeyPath) -> bool:
    """Report a list of steps that is too long, without reading each of them."""
    for key in ("before", "steps", "after") if isinstance(document, dict) else ():
        if isinstance(steps := document.get(key), list) and len(steps) > MAX_STEPS:
            report.add((*at, key), f"is {len(steps)} items long; {MAX_STEPS} are allowed")
            return True
    return False


def _with_rows(report: ProblemReport, document: dict[str, Any], at: KeyPath, folder: Path) -> dict[str, Any]:
    """Return a document with the rows of its file of data."""
    try:
        file = check_data_file(folder, document["data"])
        rows = csv_rows(file) if file.suffix.lower() == ".csv" else _listed_rows(file)
    except ValueError as error:
        report.add((*at, "data"), str(error))
    except CaseError as error:
        report.add((*at, "data"), "; ".join(error.problems))
    else:
        return located({**document, "data": rows}, document)
    return located({key: value for key, value in document.items() if key != "data"}, document)


def _listed_rows(file: Path) -> Any:
    source = read_source(file, "rows are a list of mappings")
    source.report().raise_if_any()
    return source.document


def _with_flows(report: ProblemReport, case: Case, at: KeyPath, folder: Path | None) -> Case:
    count = len(report.problems)
    if folder is not None:
        case = FlowFiles(folder, read_source, report).embedded(case)
    if len(report.problems) == count:
        report.problems += flow_problems(case, report, at)
        report.problems += login_problems(case.logins, case.use.storage_state, at=at, source=report.source)
    return case


def is_flow(document: Any) -> bool:
    """Tell whether a document is a flow, which cases use."""
    return isinstance(document, dict) and "flow" in document and "name" not in document


def _load_flow(path: Path, source: Source, report: ProblemReport) -> LoadedFile:
    """Return a flow, with every problem of those that it uses."""
    flow, problems = read_document(Flow, source.document, source=report.source, lines=report.lines)
    report.problems += problems
    report.raise_if_any()
    assert isinstance(flow, Flow)
    files = FlowFiles(path.parent, read_source, report)
    files.flows[path.name] = flow
    flow = files.flows[path.name] = files.with_own(flow)
    report.raise_if_any()
    values = {name: param.default for name, param in flow.params.items()}
    use = Step(args=UseFlow(flow=path.name, given_values=values))
    case = Case(name=flow.flow, steps=(use,), flows=files.flows)
    report.problems += flow_problems(case, report)
    report.raise_if_any()
    return LoadedFile((), source.name, flow=case)


def _read_suite(report: ProblemReport, document: dict[str, Any], folder: Path | None) -> tuple[Case, ...]:
    suite, problems = read_document(Suite, document, source=report.source, lines=report.lines)
    report.problems += problems
    listed = document.get("cases")
    cases: dict[int, Case] = {}
    for index, entry in enumerate(listed if isinstance(listed, list) else ()):
        at = ("cases", index)
        if not isinstance(entry, dict):
            report.add(at, f"expected a case, got {kind_text(entry)}")
        elif (case := _read_alone(report, entry, at, folder)) is not None:
            cases[index] = _with_flows(report, case.under(suite) if isinstance(suite, Suite) else case, at, folder)
    _report_repeated_keys(report, cases)
    return tuple(cases.values())


def _report_repeated_keys(report: ProblemReport, cases: dict[int, Case]) -> None:
    first: dict[str, int] = {}
    for index, case in cases.items():
        if first.setdefault(case.key, index) != index:
            text = f"has the same key {case.key!r} as cases[{first[case.key]}]: give each an id or name of its own"
            report.add(("cases", index), text)


def read_source(path: Path, least: str = "a case has at least 'name' and 'steps'") -> Source:
    """Read a .yaml, .yml or .json file; `least` says of an empty one what it lacks.

    Raises:
        CaseError: it cannot be read, is empty, too large, not UTF-8, or not YAML or JSON.
    """
    name = str(path)
    reader = _READERS.get(path.suffix.lower())
    text = _read_text(path)
    if reader is None:
        suffix = path.suffix or "a file without a suffix"
        raise _broken(name, f"{suffix} cannot be read: give .yaml, .yml or .json")
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
    return case_error([Problem((), text, None, name)])


__all__ = [
    "LoadedFile",
    "Source",
    "SourceMapping",
    "load_cases",
    "load_file",
    "parse_case",
    "prepare_reader",
    "read_source",
]
