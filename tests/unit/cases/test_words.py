"""The classes of the language cost a process only what its cases use."""

from __future__ import annotations

import subprocess
import sys

from qa_queue.cases.checks import CHECKS
from qa_queue.cases.model import Case
from qa_queue.cases.steps import ACTIONS
from qa_queue.cases.vocabulary import Vocabulary

_PROGRAM = """
from qa_queue.cases.checks import CHECKS
from qa_queue.cases.reader import parse_case
from qa_queue.cases.steps import ACTIONS
parse_case({"name": "x", "steps": [{"goto": "/"}, {"expect": {"title": "x"}}]}, source="case.yaml")
built = [word for word, one in {**ACTIONS, **CHECKS}.items() if one.__pydantic_complete__]
print(*built)
"""


def test_only_the_words_of_a_case_are_built() -> None:
    done = subprocess.run([sys.executable, "-c", _PROGRAM], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) == {"expect", "goto", "title"}


def test_annotations_are_no_texts() -> None:
    """Pydantic compiles a text again for every class that inherits it; only a class's own name has to be one."""
    words = {base for word in (Case, *ACTIONS.values(), *CHECKS.values()) for base in word.__mro__}
    texts = [
        f"{word.__name__}.{name}"
        for word in words
        if issubclass(word, Vocabulary)
        for name, annotation in vars(word).get("__annotations__", {}).items()
        if isinstance(annotation, str) and word.__name__ not in annotation
    ]
    assert texts == []
