"""Outcomes of a step on a changed page: pure judgements on observations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from qa_queue.models import StepStatus


class Outcome(StrEnum):
    """`own` is the target's own words, `found` any other way: a fallback or a heal."""

    OWN_RIGHT = "own right"
    OWN_WRONG = "own wrong"
    FOUND_RIGHT = "found right"
    FOUND_WRONG = "found wrong"
    REFUSED = "refused"  # the step failed, though its element is on the page
    REFUSED_GONE = "refused, gone"  # the step failed as it should: its element is not on the page
    UNREACHED = "not reached"  # an earlier step failed, or went wrong
    UNSEEN = "unseen"  # the bench missed which element was used; none of these is a valid result


WRONG = (Outcome.OWN_WRONG, Outcome.FOUND_WRONG)


@dataclass(frozen=True, kw_only=True)
class Seen:
    """A step that acts on an element. Keys are those of `shop_versions.truth`.

    `acted` is the key of the element that was used, `there` whether the wanted one was on the page.
    """

    number: int
    wanted: str
    status: StepStatus
    acted: str | None = None
    there: bool = False


def outcomes(steps: Iterable[Seen]) -> list[Outcome]:
    """One for each step of a run, in order; what comes after a wrong element says nothing any more."""
    found: list[Outcome] = []
    for step in steps:
        lost = any(outcome in WRONG for outcome in found)
        found.append(Outcome.UNREACHED if lost else outcome_of(step))
    return found


def outcome_of(step: Seen) -> Outcome:
    """The outcome of one step."""
    if step.status is StepStatus.SKIPPED:
        return Outcome.UNREACHED
    if step.status is StepStatus.FAILED:
        return Outcome.REFUSED if step.there else Outcome.REFUSED_GONE
    if step.acted is None:
        return Outcome.UNSEEN
    right = step.acted == step.wanted
    if step.status is StepStatus.ADAPTED:
        return Outcome.FOUND_RIGHT if right else Outcome.FOUND_WRONG
    return Outcome.OWN_RIGHT if right else Outcome.OWN_WRONG


@dataclass(frozen=True, kw_only=True)
class Rates:
    """Percent. The first three are of the steps whose own words no longer found their element, which was there;

    `false` is of the steps whose element was gone: how many were done all the same, on another element.
    """

    right: float
    wrong: float
    refused: float
    false: float
    there: int
    gone: int


def rates(there: Counter[Outcome], gone: Counter[Outcome]) -> Rates:
    """The figures for steps whose element was on the page, and for those whose element was not."""
    needed = there[Outcome.FOUND_RIGHT] + there[Outcome.FOUND_WRONG] + there[Outcome.REFUSED]
    false = sum(gone[outcome] for outcome in WRONG)
    lost = false + gone[Outcome.REFUSED_GONE]
    return Rates(
        right=_percent(there[Outcome.FOUND_RIGHT], needed),
        wrong=_percent(there[Outcome.FOUND_WRONG], needed),
        refused=_percent(there[Outcome.REFUSED], needed),
        false=_percent(false, lost),
        there=needed,
        gone=lost,
    )


def count(results: Sequence[Outcome]) -> dict[str, int]:
    """Return how many of each, all named."""
    counted = Counter(results)
    return {outcome.value: counted[outcome] for outcome in Outcome}


def _percent(part: int, whole: int) -> float:
    return round(100 * part / whole, 1) if whole else 0.0
