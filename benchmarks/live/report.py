"""The results of the live benchmark as JSON and as tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from benchmarks.live.outcomes import WRONG, Outcome, Rates, count, rates
from benchmarks.shop_versions import VERSIONS

_SHORT = {
    Outcome.OWN_RIGHT: "own",
    Outcome.OWN_WRONG: "own wrong",
    Outcome.FOUND_RIGHT: "right",
    Outcome.FOUND_WRONG: "wrong",
    Outcome.REFUSED: "refused",
    Outcome.REFUSED_GONE: "ref. gone",
    Outcome.UNREACHED: "unreached",
    Outcome.UNSEEN: "unseen",
}


@dataclass(frozen=True, kw_only=True)
class Result:
    """One step of one run. `there`: its element was on the page; `locator`: what found an element another way."""

    version: str
    case: str
    step: int
    action: str
    outcome: Outcome
    there: bool
    wanted: str
    acted: str | None
    reason: str | None
    locator: dict[str, Any] | None
    error: str | None


def summary(results: Sequence[Result]) -> Rates:
    """The rates of these results."""
    return rates(
        Counter(result.outcome for result in results if result.there),
        Counter(result.outcome for result in results if not result.there),
    )


def document(arm: str, description: str, results: Sequence[Result]) -> dict[str, Any]:
    """One arm as JSON: counts by version and in total, rates, and every step that did not simply go well."""
    return {
        "arm": arm,
        "description": description,
        "versions": {name: count([r.outcome for r in group]) for name, group in _by_version(results)},
        "total": count([result.outcome for result in results]),
        "rates": asdict(summary(results)),
        "reasons": reasons(results),
        "steps": [asdict(r) for r in results if r.outcome not in (Outcome.OWN_RIGHT, Outcome.UNREACHED)],
    }


def reasons(results: Sequence[Result]) -> dict[str, dict[str, int]]:
    """Return how many elements each other way found, right and wrong: a fallback, a learned locator, a heal."""
    found = {r.reason: [o.outcome for o in results if o.reason == r.reason] for r in results if r.reason}
    return {
        reason: {"right": outcomes.count(Outcome.FOUND_RIGHT), "wrong": outcomes.count(Outcome.FOUND_WRONG)}
        for reason, outcomes in sorted(found.items())
    }


def table(arm: str, description: str, results: Sequence[Result]) -> Iterator[str]:
    """One arm as lines of text."""
    yield f"\n{arm}: {description}"
    yield _line("version", _SHORT.values())
    for name, group in _by_version(results):
        yield _line(name, count([result.outcome for result in group]).values())
    yield _line("total", count([result.outcome for result in results]).values())
    of = summary(results)
    figures = f"{of.right} % right, {of.wrong} % wrong, {of.refused} % refused"
    yield f"  own words fail, element there: {figures} (of {of.there})"
    yield f"  element gone: {of.false} % done on another element (of {of.gone})"
    for reason, counts in reasons(results).items():
        yield f"  {reason}: {counts['right']} right, {counts['wrong']} wrong"


def mistakes(results: Sequence[Result]) -> Iterator[str]:
    """Each step on a wrong element, in one line."""
    for result in results:
        if result.outcome in WRONG:
            way = f"{result.reason or 'its own words'} {result.locator or ''}".strip()
            step = f"{result.version} {result.case}:{result.step}"
            yield f"  {step} wanted {result.wanted!r}, got {result.acted!r} by {way}"


def _by_version(results: Sequence[Result]) -> Iterator[tuple[str, list[Result]]]:
    for version in VERSIONS:
        if group := [result for result in results if result.version == version.name]:
            yield version.name, group


def _line(name: str, cells: Iterable[object]) -> str:
    return f"  {name:<16}" + "".join(f"{cell:>11}" for cell in cells)
