"""A `Case` as YAML for people: short mappings stand in one line."""

from __future__ import annotations

import re
from io import StringIO
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

from qa_queue.cases.exporters.document import case_document
from qa_queue.cases.model import Case

_SEQUENCES = ("before", "steps", "after")
_NO_FOLDING = 1_000_000
_FLOW_WIDTH = 90
_SAFE = re.compile(r"[A-Za-z0-9/][A-Za-z0-9 ./_-]*")


def dump_yaml(case: Case) -> str:
    """The case as YAML that `load_cases` reads back."""
    yaml = YAML()
    yaml.width = _NO_FOLDING
    yaml.brace_single_entry_mapping_in_flow_sequence = True
    stream = StringIO()
    yaml.dump(_document(case), stream)
    return stream.getvalue()


def _document(case: Case) -> CommentedMap:
    plain = case_document(case)
    plain.pop("baselines", None)  # files beside the case's own
    sequences = {key: CommentedSeq(_block(step) for step in plain.pop(key, ())) for key in _SEQUENCES}
    document = _block(plain)
    for key, steps in sequences.items():
        if steps:
            document[key] = steps
            document.yaml_set_comment_before_after_key(key, before="\n")
    return document


def _block(mapping: dict[str, Any]) -> CommentedMap:
    """A mapping with a line for each key."""
    return CommentedMap((_quoted(key), _tidy(item)) for key, item in mapping.items())


def _quoted(text: str) -> str:
    return text if _SAFE.fullmatch(text) else DoubleQuotedScalarString(text)


def _tidy(value: Any) -> Any:
    """The value as nodes of ruamel. What is short stands in one line; a text that is more than words is quoted."""
    node: CommentedMap | CommentedSeq
    match value:
        case dict():
            node = _block(value)
        case list():
            node = CommentedSeq(_tidy(item) for item in value)
        case str():
            return _quoted(value)
        case _:
            return value
    if len(str(value)) <= _FLOW_WIDTH:
        node.fa.set_flow_style()
    return node
