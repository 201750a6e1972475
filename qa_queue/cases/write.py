"""A case as a YAML file for people: short mappings in one line, a blank line before the steps."""

from __future__ import annotations

import re
from io import StringIO
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

from qa_queue.cases.document import case_document
from qa_queue.cases.model import Case

_NO_FOLDING = 1_000_000
_FLOW_WIDTH = 90
_SAFE = re.compile(r"[A-Za-z0-9/][A-Za-z0-9 ./_-]*")


def dump_yaml(case: Case, notes: tuple[str, ...] = ()) -> str:
    """The case as YAML that `load_cases` reads back; `notes` become comments at the top."""
    yaml = YAML()
    yaml.width = _NO_FOLDING
    yaml.brace_single_entry_mapping_in_flow_sequence = True
    document = _document(case)
    if notes:
        document.yaml_set_start_comment("\n".join(notes) + "\n\n")
    stream = StringIO()
    yaml.dump(document, stream)
    return stream.getvalue()


def _document(case: Case) -> CommentedMap:
    plain = case_document(case)
    steps = CommentedSeq(_block(step) for step in plain.pop("steps"))
    document = _block(plain)
    document["steps"] = steps
    document.yaml_set_comment_before_after_key("steps", before="\n")
    return document


def _block(mapping: dict[str, Any]) -> CommentedMap:
    """A mapping with a line for each key."""
    return CommentedMap((key, _tidy(item)) for key, item in mapping.items())


def _tidy(value: Any) -> Any:
    """The value as nodes of ruamel. What is short stands in one line; a text that is more than words is quoted."""
    node: CommentedMap | CommentedSeq
    match value:
        case dict():
            node = _block(value)
        case list():
            node = CommentedSeq(_tidy(item) for item in value)
        case str() if not _SAFE.fullmatch(value):
            return DoubleQuotedScalarString(value)
        case _:
            return value
    if len(str(value)) <= _FLOW_WIDTH:
        node.fa.set_flow_style()
    return node
