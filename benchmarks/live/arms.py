"""The ways of finding elements that are compared: how each makes a case its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from benchmarks.live.watch import acts, numbered
from qa_queue.cases.actions import Expect
from qa_queue.cases.model import Case, Step, Target

Chains = Mapping[int, Sequence[Mapping[str, str]]]


@dataclass(frozen=True)
class Times:
    """Time limits of steps, in ms: actions; assertions; waits that a case gives more time."""

    action: int
    check: int
    wait: int


PATIENT = Times(10_000, 5_000, 15_000)
# An assertion does not count here: it may fail, and the run goes on.
SHORT = Times(4_000, 600, 3_000)


@dataclass(frozen=True)
class Arm:
    """`prepare` makes the case to be run of the case as written and the locators recorded on the original."""

    name: str
    description: str
    prepare: Callable[[Case, Chains], Case]
    lead: bool = False


def as_written(case: Case, chains: Chains, *, heal: str = "auto", times: Times = SHORT) -> Case:
    """The case with its own targets, short times, and assertions that do not end the run."""
    del chains
    steps = tuple(_timed(step, times) for step in case.steps)
    return numbered(case.model_copy(update={"steps": steps, "heal": heal, "retries": 0}))


def with_chains(case: Case, chains: Chains) -> Case:
    """The same without healing; after its own words each step tries the locators that a recorder keeps."""
    plain = as_written(case, chains, heal="off")
    steps = tuple(_chained(step, chains.get(number, ())) for number, step in enumerate(plain.steps, 1))
    return plain.model_copy(update={"steps": steps})


def without_fallbacks(case: Case, chains: Chains) -> Case:
    """The same without healing and fallbacks."""
    plain = as_written(case, chains, heal="off")
    steps = tuple(_with_fallbacks(step, ()) if acts(step) else step for step in plain.steps)
    return plain.model_copy(update={"steps": steps})


CHAIN = Arm("chain", "fallback chain alone: own words, then the first recorded locator that is unique", with_chains)
HEALING = Arm("healing", "healing alone: the case as written, heal: auto", partial(as_written, heal="auto"))
LED = Arm(
    "led", "each step is led to the right element: can the case be done at all?", without_fallbacks, lead=True
)
ARMS = {arm.name: arm for arm in (CHAIN, HEALING, LED)}


def _timed(step: Step, times: Times) -> Step:
    if acts(step):
        return step.model_copy(update={"timeout_ms": times.action})
    if isinstance(step.args, Expect):
        return step.model_copy(update={"timeout_ms": times.check, "soft": True})
    if step.action in ("wait_for", "screenshot"):
        return step.model_copy(update={"timeout_ms": times.wait, "soft": True})
    return step


def _chained(step: Step, chain: Sequence[Mapping[str, str]]) -> Step:
    if not acts(step) or not chain:
        return step
    own: Target = step.args.target  # type: ignore[attr-defined]  # `acts` says that it has one
    recorded = tuple(Target(**locator, frame=own.frame) for locator in chain)
    return _with_fallbacks(step, own.fallbacks + recorded)


def _with_fallbacks(step: Step, fallbacks: tuple[Target, ...]) -> Step:
    target = step.args.target.model_copy(update={"fallbacks": fallbacks})  # type: ignore[attr-defined]
    return step.model_copy(update={"args": step.args.model_copy(update={"target": target})})
