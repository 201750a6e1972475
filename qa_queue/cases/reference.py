"""The reference of the case language as Markdown, from the classes of its words and an example of each."""

from __future__ import annotations

import inspect
import re
import sys
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo

from qa_queue.cases.checks import CHECKS, Check, ValueCheck
from qa_queue.cases.logins import Login
from qa_queue.cases.model import Case, Flow, Param, PytestTests, Suite, Use
from qa_queue.cases.steps import ACTIONS, Action, Step
from qa_queue.cases.targets import Target
from qa_queue.cases.vocabulary import Vocabulary, keys_of

BEGIN, END = "<!-- reference: begin (make reference) -->", "<!-- reference: end -->"
_STEPS = re.compile(r"^  steps:\n((?:  .*\n)+)", re.MULTILINE)
_INTERNAL = ("args", "line")


def with_reference(page: str, examples: Path) -> str:
    """Return a page with its reference between the two markers renewed; `examples` is the folder of the examples.

    Raises:
        ValueError: the page lacks the markers.
        FileNotFoundError: an action or check has no example.
    """
    before, _, rest = page.partition(BEGIN)
    _, found, after = rest.partition(END)
    if not found:
        raise ValueError(f"the page lacks {BEGIN} and {END}")
    return f"{before}{BEGIN}\n{reference(examples)}{END}{after}"


def reference(examples: Path) -> str:
    """Return the reference: every action, check and key, with its description and an example."""
    parts = [
        "## Actions",
        *_words(ACTIONS, examples / "actions"),
        "## Checks",
        *_words(CHECKS, examples / "checks"),
        "## Keys",
        *_keys_of("Keys of a step, beside its action", Step),
        *_keys_of("Keys of a target", Target),
        *_keys_of("Keys of a check of a value", ValueCheck),
        *_keys_of("Keys of a case", Case),
        *_keys_of("Keys of a suite", Suite),
        *_keys_of("Keys of a flow", Flow),
        *_keys_of("Keys of a parameter of a flow", Param),
        *_keys_of("Keys of `use` of a case", Use),
        *_keys_of("Keys of a login under `logins`", Login),
        *_keys_of("Keys of `pytest`", PytestTests),
    ]
    return "\n\n".join(parts) + "\n"


def _words(words: Mapping[str, type[Action]] | Mapping[str, type[Check]], examples: Path) -> Iterator[str]:
    topic = ""
    for keyword, word in words.items():
        about = (inspect.getdoc(sys.modules[word.__module__]) or "").partition("\n")[0]
        if about != topic:
            topic = about
            yield f"### {about.rstrip('.')}"
        yield f"#### `{keyword}`\n{_description(word)}{_other_name(word)}"
        if table := _table(word):
            yield table
        if table := _settings(word):
            yield table
        text = (examples / f"{keyword}.yaml").read_text(encoding="utf-8")
        yield f"```yaml\n{example_of(_written(word), text)}```"


def _written(word: type[Action] | type[Check]) -> str:
    return (word.written if issubclass(word, Action) else "") or word.keyword


def _keys_of(title: str, model: type[Vocabulary]) -> Iterator[str]:
    yield f"### {title}"
    yield _table(model, required=True)


def _description(word: type[Vocabulary]) -> str:
    return " ".join((word.__doc__ or "").split("\n\n")[0].split())


def _other_name(word: type[Vocabulary]) -> str:
    if not issubclass(word, Check):
        return ""
    return f" Playwright's name: `{keys_of(word, word.field)[-1]}`."


def _table(model: type[Vocabulary], *, required: bool = False) -> str:
    """Return the table of the keys; empty where there is nothing but a target or the check itself."""
    rows = [_row(model, name, field) for name, field in model.model_fields.items() if _shown(model, name)]
    if not rows and not required:
        return ""
    return "\n".join(["| key | meaning |", "|---|---|", *rows])


def _settings(word: type[Vocabulary]) -> str:
    """Return the table of the keys of a check's mapping; empty where it has no mapping."""
    inner = word.model_fields[word.field].annotation if issubclass(word, Check) else None
    if not isinstance(inner, type) or not issubclass(inner, Vocabulary):
        return ""
    rows = (_row(inner, name, field) for name, field in inner.model_fields.items())
    return "\n".join(["| key of its mapping | meaning |", "|---|---|", *rows])


def _shown(model: type[Vocabulary], name: str) -> bool:
    own = model.model_fields[name]
    if issubclass(model, Check):
        return name not in ("target", "negate", model.field)
    alone = issubclass(model, Action) and name == "target" and own.is_required()
    return name not in _INTERNAL and name != model.spread and not alone


def _row(model: type[Vocabulary], name: str, field: FieldInfo) -> str:
    key = keys_of(model, name)[0]
    need = " Required." if field.is_required() else _default(field)
    return f"| `{key}` | {field.description}{need} |"


def _default(field: FieldInfo) -> str:
    value: Any = field.default
    plain = isinstance(value, (str, int)) and not isinstance(value, bool) and value != ""
    return f" Default: `{value}`." if plain and "default" not in (field.description or "") else ""


def example_of(keyword: str, text: str) -> str:
    """Return the steps of the first case of an example as they are written.

    Raises:
        ValueError: they do not use the word.
    """
    found = _STEPS.search(text)
    steps = textwrap.dedent(found[1]) if found else ""
    if not re.search(rf"\b{keyword}:", steps):
        raise ValueError(f"the first case of the example of {keyword} does not use it")
    return steps
