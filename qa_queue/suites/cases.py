"""Cases from the tests of a pytest suite: which tests form a run, and how runs are named. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from qa_queue.cases.model import Case, PytestTests
from qa_queue.cases.vocabulary import MAX_DURATION_MS
from qa_queue.suites.process import CollectedTest

TEST_TIMEOUT_MS = 300_000  # of each test of a run
_LONGEST_NAME = 200
_HASH = 12


class Grouping(StrEnum):
    """The tests that form a run. `auto`: each alone, unless it shares a fixture of its module or class."""

    AUTO = "auto"
    TEST = "test"
    FILE = "file"
    CLASS = "class"


@dataclass(frozen=True, kw_only=True)
class SuiteOptions:
    """Options of the tests of a suite. `root` is where pytest starts, `node_root` where node ids begin."""

    root: str
    node_root: str
    python: str | None = None
    arguments: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    retries: int = 0
    grouping: Grouping = Grouping.AUTO
    bundle: str | None = None
    requirements: str | None = None


def grouped(tests: Sequence[CollectedTest], by: Grouping) -> list[tuple[CollectedTest, ...]]:
    """Return the tests of each run, both in the order of collection; a group marker always keeps tests together."""
    groups: dict[str, list[CollectedTest]] = {}
    for test in tests:
        groups.setdefault(_group_of(test, by), []).append(test)
    return [tuple(group) for group in groups.values()]


def _group_of(test: CollectedTest, by: Grouping) -> str:
    if test.group is not None:
        return f"group {test.group}"
    if by is Grouping.FILE or (by is Grouping.AUTO and any(one.startswith(_OF_MODULE) for one in test.shared)):
        return test.file
    if by is Grouping.CLASS or (by is Grouping.AUTO and any(one.startswith("class:") for one in test.shared)):
        return test.class_id or test.id
    return test.id


_OF_MODULE = ("module:", "package:")


def case_of_tests(tests: Sequence[CollectedTest], options: SuiteOptions) -> Case:
    """Return the case that runs these tests, at least one, in this order."""
    label = _label(tests)
    tags = {test.id: _tags(test) for test in tests}
    return Case(
        id=_short(f"{Path(options.node_root).name}: {label}"),
        name=_short(label),
        tags=tuple(sorted({tag for own in tags.values() for tag in own})),
        timeout_ms=min(MAX_DURATION_MS, TEST_TIMEOUT_MS * len(tests)),
        retries=options.retries,
        pytest=PytestTests(
            root=options.root,
            tests=tuple(test.id for test in tests),
            python=options.python,
            arguments=options.arguments,
            bundle=options.bundle,
            requirements=options.requirements,
            env={name: _reference(name, value) for name, value in options.env.items()},
            tags=tags if len(set(tags.values())) > 1 else {},
        ),
    )


def _tags(test: CollectedTest) -> tuple[str, ...]:
    return tuple(marker for marker in test.markers if marker != "parametrize")


def _reference(name: str, value: str) -> str:
    """Return the text of a variable in the case: values travel with the run, references with the case."""
    return value if "${" in value else f"${{env.{name}}}"


def _label(tests: Sequence[CollectedTest]) -> str:
    """Return the test, or what several have in common: their group, class or file."""
    first = tests[0]
    if first.group is not None:
        return f"{first.file} ({first.group})"
    if len(tests) == 1:
        return first.id
    return (
        first.class_id if first.class_id and {test.class_id for test in tests} == {first.class_id} else first.file
    )


def _short(text: str) -> str:
    """Return a text that can name a case: not too long, and without what reads as a reference."""
    plain = text.replace("${", "$ {")
    if len(plain) <= _LONGEST_NAME:
        return plain
    return f"{plain[: _LONGEST_NAME - _HASH - 1]} {hashlib.sha256(text.encode()).hexdigest()[:_HASH]}"
