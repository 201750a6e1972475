"""A tree of steps is run in order, and each step has one place, one key and one row."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from processors.execution.interpreter import Interpreter
from processors.execution.plan import RunPlan, plan_run
from processors.execution.reporting import percentage
from processors.execution.step_tree import (
    ActionNode,
    BlockNode,
    Frame,
    Node,
    Section,
    outline,
)
from processors.execution.stopping import StopSignal
from processors.execution.verdict import judge
from qa_queue.cases.actions import Group
from qa_queue.cases.model import Step
from qa_queue.cases.traversal import known_total
from qa_queue.cases.values import Scope, resolve_step
from qa_queue.errors import CaseError
from qa_queue.models import ErrorKind, TestJobData
from tests.support.interpreting import Recorder
from tests.support.steps import case, goto, on

FRAME = Frame(scope=Scope(), resolve=resolve_step)


def action(name: str = "#x", **fields: object) -> ActionNode:
    """A click that fails if the name of its target says so."""
    return ActionNode(step=on("click", name).model_copy(update=fields))


def group(*steps: Node, name: str = "Sign in", flow: str | None = None, **fields: object) -> BlockNode:
    args = Group(name=name, steps=tuple(node.step for node in steps))
    return BlockNode(step=Step(args=args).model_copy(update=fields), steps=steps, flow=flow)


def sections(*nodes: Node) -> list[Section]:
    return [Section(name="steps", nodes=nodes)]


BAD = action("#fails")
TREE = (
    action(),
    group(action(), group(action(id="pay"), name="Pay")),
    group(action(), action(id="home"), name="Log in", flow="login.yaml"),
    group(action(), name="Log in", flow="login.yaml"),
    action(),
)


async def interpret(*nodes: Node) -> Recorder:
    """Run a tree to its end."""
    recorder = Recorder()
    async with StopSignal(lambda: False) as stop:
        await Interpreter(recorder, stop).run(sections(*nodes), FRAME)
    return recorder


def statuses(recorder: Recorder) -> list[tuple[str, str]]:
    return [(result.position, result.status.value) for result in recorder.results]


async def test_steps_run_in_order_and_know_their_place() -> None:
    """Rows are numbered as they come; positions and names lead through the groups."""
    done = (await interpret(*TREE)).done
    assert [(one.number, one.position, one.parents) for one in done] == [
        (1, "1", ()),
        (2, "2.1", ("Sign in",)),
        (3, "2.2.1", ("Sign in", "Pay")),
        (4, "3.1", ("Log in",)),
        (5, "3.2", ("Log in",)),
        (6, "4.1", ("Log in",)),
        (7, "5", ()),
    ]
    assert done[2].title == "Sign in > Pay > click `#x`"


def test_a_step_of_a_flow_is_the_same_wherever_it_is_used() -> None:
    """Keys count within the flow; an id stands for the place, in its own flow alone."""
    assert [step.key for step in outline(sections(*TREE), FRAME)] == [
        "1:click",
        "2.1:click",
        "pay",
        "login.yaml:1:click",
        "login.yaml:home",
        "login.yaml:1:click",
        "5:click",
    ]


def test_iterations_are_in_the_position_and_not_in_the_key() -> None:
    """Each iteration has its own rows; what is known of an element holds for all of them."""
    steps = [FRAME.inside(group(action()), 4, iteration=n).step(on("click", "#x"), 2, n) for n in (1, 2)]
    assert [(step.position, step.key) for step in steps] == [("4[1].2", "4.2:click"), ("4[2].2", "4.2:click")]


def test_an_iteration_sees_its_own_values() -> None:
    """The step as written stays the same."""
    scope = Scope(variables={"n": "7"})
    frame = FRAME.inside(group(action()), 1, iteration=1, scope=scope)
    step = frame.step(on("fill", "#x", value="${var.n}"), 1, 1)
    assert (step.written.args.value, step.resolved.args.value) == ("${var.n}", "7")


def test_a_missing_value_inside_a_group_is_found_before_the_run() -> None:
    with pytest.raises(CaseError, match=r"\$\{var.n\} has no value"):
        outline(sections(group(ActionNode(step=on("fill", "#x", value="${var.n}")))), FRAME)


async def test_what_is_known_beforehand_is_what_is_run() -> None:
    """A plan's steps are those of the run, with the same numbers, places and keys."""
    assert (await interpret(*TREE)).done == list(outline(sections(*TREE), FRAME))
    assert known_total([node.step for node in TREE]) == 7


@pytest.mark.parametrize(
    ("nodes", "ends"),
    [
        ((BAD, action(), action(always_run=True)), [("1", "failed"), ("2", "skipped"), ("3", "passed")]),
        (
            (group(BAD, action()), action(), group(action(), always_run=True), group(action(always_run=True))),
            [("1.1", "failed"), ("1.2", "skipped"), ("2", "skipped"), ("3.1", "passed"), ("4.1", "passed")],
        ),
        ((group(BAD, action(), soft=True), action()), [("1.1", "failed"), ("1.2", "skipped"), ("2", "passed")]),
        (
            (group(BAD, action(), optional=True), action()),
            [("1.1", "skipped"), ("1.2", "skipped"), ("2", "passed")],
        ),
        ((group(action("#fails", soft=True), action()),), [("1.1", "failed"), ("1.2", "passed")]),
        (
            (BAD, group(BAD, action(), always_run=True, soft=True), action()),
            [("1", "failed"), ("2.1", "failed"), ("2.2", "skipped"), ("3", "skipped")],
        ),
    ],
    ids=["flat", "fails the run", "soft", "optional", "soft step", "always, after a failure"],
)
async def test_a_failure_skips_what_follows(nodes: Sequence[Node], ends: list[tuple[str, str]]) -> None:
    """A group contains a failure if it is soft or optional; steps and groups that always run do so."""
    assert statuses(await interpret(*nodes)) == ends


async def test_the_error_of_a_run_names_the_position() -> None:
    recorder = await interpret(action(), group(action(), BAD))
    verdict = judge(recorder.results, max_adaptations=5)
    assert (verdict.error, verdict.failed) == ("step 2.2: gone", 1)


async def test_a_stopped_run_skips_the_rest() -> None:
    """Nothing runs after the request, not even what always runs; the reason is kept."""
    recorder = Recorder(stop_at="1.1")
    async with StopSignal(lambda: bool(recorder.stopped)) as stop:
        interpreter = Interpreter(recorder, stop)
        await interpreter.run(sections(group(action(), name="A")), FRAME)
        assert interpreter.stopped is None
        await stop.race(_forever())
        await interpreter.run(sections(action(always_run=True)), FRAME)
    assert interpreter.stopped is ErrorKind.CANCELLED
    assert statuses(recorder) == [("1.1", "passed"), ("1", "skipped")]


async def _forever() -> None:
    await asyncio.Event().wait()


@pytest.mark.parametrize(
    ("done", "total", "shown"),
    [(0, 4, 0), (1, 3, 33), (4, 4, 100), (9, 4, 100), (3, None, None), (0, 0, None)],
)
def test_an_unknown_total_has_no_percentage(done: int, total: int | None, shown: int | None) -> None:
    """Never more than 100 %, and none where it would be wrong."""
    assert percentage(done, total) == shown


def test_a_case_without_nesting_is_a_flat_tree() -> None:
    """Its steps have the numbers, keys and total that they always had."""
    plan = plan_of(goto("/"), on("click", "#x"))
    assert [(one.number, one.position, one.key) for one in plan.steps] == [(1, "1", "1:goto"), (2, "2", "2:click")]
    assert plan.total == 2


def plan_of(*steps: Step) -> RunPlan:
    return plan_run(case(*steps), TestJobData(test_case_id="c", test_run_id="r"), {})
