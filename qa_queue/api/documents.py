"""Case documents as they come in requests: JSON, or the text of a YAML or JSON file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from qa_queue.api.errors import FieldError, FieldErrorsError
from qa_queue.cases.actions import Upload
from qa_queue.cases.document_path import DocumentPath, ProblemReport
from qa_queue.cases.importers.recorder import Converted, convert_recording, is_recording
from qa_queue.cases.model import Case
from qa_queue.cases.reader import read_case
from qa_queue.cases.yaml_source import read_yaml
from qa_queue.errors import CaseError
from qa_queue.errors.validation import Problem, path_text

MAX_DEPTH = 60  # as in YAML files
SOURCE = "case"

Document = dict[str, Any] | str


def read(document: Document, *, suites: bool) -> Case:
    """The case of a document; `suites` says whether it may run tests of a pytest suite.

    Raises:
        FaultsError: it cannot be used; every fault has its path and, for a text, its line.
    """
    report, plain = _opened(document)
    case = read_case(report, plain)
    if isinstance(case, Case):
        _refuse_uploads(report, case)
        if case.pytest is not None and not suites:
            report.add(
                ("pytest",),
                "runs code on the workers, which this service does not accept over HTTP: submit it with `qa-queue "
                "run`, or let the operator set QA_API_SUITES=true",
            )
    if report.problems or not isinstance(case, Case):
        raise _faults(report.problems)
    return case


def read_recording(document: Document) -> Converted:
    """The case of a recording of Chrome DevTools Recorder, and what was not carried over.

    Raises:
        FaultsError: it is not a recording, or nothing of it can be imported.
    """
    report, plain = _opened(document)
    if not is_recording(plain):
        raise FieldErrorsError(
            "The document is not a recording.", [FieldError(message="a recording has a list of steps with a type")]
        )
    try:
        return convert_recording(DocumentPath(report), plain)
    except CaseError:
        raise _faults(report.problems) from None


def _opened(document: Document) -> tuple[ProblemReport, Any]:
    if isinstance(document, str):
        try:
            plain, lines, problems = read_yaml(document, SOURCE)  # YAML 1.2 reads JSON too
        except CaseError as error:
            raise FieldErrorsError(str(error), [FieldError(message=text) for text in error.problems]) from None
        return ProblemReport(SOURCE, lines, list(problems)), plain
    if any(depth > MAX_DEPTH for depth in _depths(document)):
        raise FieldErrorsError(
            "The document is nested too deep.", [FieldError(message=f"more than {MAX_DEPTH} levels")]
        )
    return ProblemReport(SOURCE), document


def _depths(document: Any) -> Iterator[int]:
    """The depth of every mapping and list, found without recursion, since it is what bounds recursion."""
    waiting = [(document, 1)]
    while waiting:
        value, depth = waiting.pop()
        yield depth
        inner = value.values() if isinstance(value, dict) else value
        waiting += [(item, depth + 1) for item in inner if isinstance(item, (dict, list))]


def _refuse_uploads(report: ProblemReport, case: Case) -> None:
    """A case that comes by HTTP has no folder with files, and must not name the worker's own."""
    for path, step in case.steps_by_path():
        if isinstance(step.args, Upload):
            report.add((*path, step.action), "uploads files of the case's folder: submit it with `qa-queue run`")


def _faults(problems: list[Problem]) -> FieldErrorsError:
    faults = [FieldError(message=one.text, path=path_text(one.path), line=one.line) for one in problems]
    count = "1 problem" if len(faults) == 1 else f"{len(faults)} problems"
    return FieldErrorsError(f"The document cannot be used: {count}.", faults)
