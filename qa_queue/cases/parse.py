"""From a document (mappings, lists and scalars) to a `Case`, with every problem reported at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from qa_queue.cases.document_path import INVALID, DocumentPath, Invalid, Lines, Report, kind_text
from qa_queue.cases.importers.cinnamon import from_legacy, is_legacy
from qa_queue.cases.keys import Field, Keys, TextMap
from qa_queue.cases.later import LATER_CASE_KEYS
from qa_queue.cases.model import FORMAT_VERSION, Case, Use
from qa_queue.cases.shapes import Choice, Duration, ListOf, Nothing, Number, Schema, Text, UrlText
from qa_queue.cases.steps import HEAL_WORDS, StepShape
from qa_queue.cases.viewports import ViewportShape
from qa_queue.models import TraceMode, Viewport

_NAME = Text(min_length=1, max_length=200)


@dataclass(frozen=True)
class UseShape:
    """The mapping under `use`, read as the values that were given, so that a suite's can be laid under a case's."""

    def read(self, place: DocumentPath, value: Any) -> dict[str, Any] | Invalid:
        """The given values, by the model's names."""
        if not isinstance(value, dict):
            return place.wrong(f"expected a mapping such as {{viewport: 1280x720}}, got {kind_text(value)}")
        return USE_KEYS.read(place, value)

    def schema(self) -> Schema:
        """The mapping's schema."""
        return USE_KEYS.schema()


USE_KEYS = Keys(
    {
        "browser": Field(Choice(("chromium",)), "Which browser."),
        "device": Field(Text(min_length=1), "A device of Playwright's, such as iPhone 15.", nullable=True),
        "viewport": Field(ViewportShape(Viewport, "Size of the page: 1280x720."), "Size of the page: 1280x720."),
        "storage_state": Field(Nothing(), "Not supported yet."),
        "test_id_attribute": Field(Text(min_length=1), "The attribute that `test_id` looks at."),
    }
)


@dataclass(frozen=True)
class RawCase:
    """A case of a suite, left as it is: it is read once the suite's own values are known."""

    def read(self, place: DocumentPath, value: Any) -> Any:
        """The mapping itself."""
        return value if isinstance(value, dict) else place.wrong(f"expected a case, got {kind_text(value)}")

    def schema(self) -> Schema:
        """A reference to the definition of a case."""
        return {"$ref": "#/$defs/case"}


@dataclass(frozen=True)
class Version:
    """The version of the format."""

    def read(self, place: DocumentPath, value: Any) -> int | Invalid:
        """The version."""
        if value == FORMAT_VERSION and not isinstance(value, bool):
            return FORMAT_VERSION
        return place.wrong(f"{kind_text(value)} is no version that this release reads; it reads {FORMAT_VERSION}")

    def schema(self) -> Schema:
        """The one version."""
        return {"const": FORMAT_VERSION}


SHARED_FIELDS = {
    "version": Field(Version(), "Version of the format: 1."),
    "base_url": Field(UrlText(min_length=1), "What relative URLs are joined to."),
    "tags": Field(ListOf(Text(min_length=1)), "Words to choose cases by."),
    "use": Field(UseShape(), "How the browser is set up."),
}
CASE_KEYS = Keys(
    {
        **SHARED_FIELDS,
        "id": Field(Text(min_length=1, max_length=200), "A name that stays when `name` changes."),
        "name": Field(_NAME, "What the case shows, for people.", required=True),
        "retries": Field(Number(0, 10), "How often the test is tried again; a pass then counts as flaky."),
        "timeout": Field(Duration(), "Of the whole run; 60s by default.", attr="timeout_ms"),
        "trace": Field(Choice(tuple(TraceMode)), "When a Playwright trace is kept."),
        "heal": Field(Choice(HEAL_WORDS), "What to do when a target is not found."),
        "vars": Field(TextMap(), "Values of ${var.NAME}."),
        "steps": Field(ListOf(StepShape(), min_length=1), "What is done, in order.", required=True),
    },
    later=LATER_CASE_KEYS,
)
SUITE_KEYS = Keys(
    {
        **SHARED_FIELDS,
        "suite": Field(_NAME, "Name of the suite.", required=True),
        "cases": Field(ListOf(RawCase(), min_length=1), "The cases.", required=True),
    }
)


def parse_case(document: Any, *, source: str, lines: Lines | None = None) -> Case:
    """The case of one document in the file's own form. `source` and `lines` are for messages only.

    Raises:
        CaseError: the document breaks the format; all of its problems are in the error.
    """
    report = Report(source, lines or {})
    case = read_case(DocumentPath(report), document)
    report.raise_if_any()
    assert isinstance(case, Case)
    return case


def read_suite(place: DocumentPath, document: dict[str, Any]) -> list[Case | Invalid]:
    """The cases of a suite, each with what the suite shares laid under its own."""
    shared = SUITE_KEYS.read(place, document)
    entries = document.get("cases")
    under = {} if shared is INVALID else {key: shared[key] for key in SHARED_FIELDS if key in shared}
    cases = [
        read_case(place.at("cases", index), entry, under) if isinstance(entry, dict) else INVALID
        for index, entry in enumerate(entries if isinstance(entries, list) else ())
    ]
    _report_twins(place, cases)
    return cases


def read_case(place: DocumentPath, document: Any, shared: dict[str, Any] | None = None) -> Case | Invalid:
    """One case at a place; `shared` are the suite's values for it."""
    if not isinstance(document, dict):
        return place.wrong(f"expected a mapping with 'name' and 'steps', got {kind_text(document)}")
    values = CASE_KEYS.read(place, from_legacy(place, document) if is_legacy(document) else document)
    if values is INVALID:
        return INVALID
    return _build(place, _laid_under(shared or {}, values))


def _laid_under(shared: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    tags = tuple(dict.fromkeys((*shared.get("tags", ()), *own.get("tags", ()))))
    use = Use(**(shared.get("use", {}) | own.get("use", {})))
    return shared | own | {"tags": tags, "use": use}


def _build(place: DocumentPath, values: dict[str, Any]) -> Case | Invalid:
    try:
        return Case(**values)
    except ValidationError as error:  # the shapes let nothing through that the model refuses, unless one is wrong
        for item in error.errors():
            place.at(*item["loc"]).wrong("is not allowed here")
        return INVALID


def _report_twins(place: DocumentPath, cases: list[Case | Invalid]) -> None:
    first: dict[str, int] = {}
    for index, case in enumerate(cases):
        if isinstance(case, Case) and first.setdefault(case.key, index) != index:
            place.at("cases", index).wrong(
                f"has the same key {case.key!r} as cases[{first[case.key]}]: give each an id or name of its own"
            )
