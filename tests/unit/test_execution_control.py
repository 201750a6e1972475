"""Groups, loops, branches and retried blocks: which steps run, with which positions, and what a failure ends."""

from __future__ import annotations

import pytest

from processors.browser.protocol import StepOutcome
from qa_queue.cases.checks import Check
from qa_queue.models import ErrorKind, RunStatus
from tests.support.interpreting import FALSE, TRUE, interpret_case, read_case


def title_is(*titles: str) -> object:
    """The page has these titles, one after the other; the last one stays."""
    left = list(titles)

    def answer(check: Check) -> StepOutcome:
        now = left.pop(0) if len(left) > 1 else left[0]
        return TRUE if check.wanted == now else FALSE

    return answer


async def test_a_loop_runs_its_steps_for_each_row() -> None:
    """Positions count the passes, names say the rows, and steps see them."""
    done = (
        await interpret_case(
            """
            steps:
            - for_each: {rows: [ann, 7], as: user, steps: [{fill: {css: "#x", value: "${var.user}"}}]}
            """
        )
    ).recorder.done
    assert [(one.position, one.key, one.parents, one.resolved.args.value) for one in done] == [
        ("1[1].1", "1.1:fill", ("user = ann",), "ann"),
        ("1[2].1", "1.1:fill", ("user = 7",), "7"),
    ]


async def test_messages_have_the_line_of_the_step() -> None:
    """Inside loops beside the position, and of the last failure of an attempt."""
    text = """
        steps:
        - for_each:
            rows: [1]
            steps:

            - click: "#ok"
            - expect: {css: "#fails", text: x}
              soft: true
        - retry:
            attempts: 1
            steps:
            - click: "#fails"
        """
    ended = await interpret_case(text, source="shop/checkout.yaml")
    assert [(result.position, result.source) for result in ended.recorder.results] == [
        ("1[1].1", "shop/checkout.yaml:7"),
        ("1[1].2", "shop/checkout.yaml:8"),
        ("2[1].1", "shop/checkout.yaml:13"),
        ("2", "shop/checkout.yaml:10"),
    ]
    assert ended.verdict.error == "step 1[1].2 (shop/checkout.yaml:8): gone"
    assert "the last one: step 2[1].1 (shop/checkout.yaml:13): gone" in (ended.recorder.results[-1].error or "")


async def test_loops_nest() -> None:
    ended = await interpret_case(
        """
        steps:
        - for_each:
            rows: [1, 2]
            as: a
            steps:
            - repeat: {times: 2, steps: [{click: "#x"}]}
            - click: "#y"
        """
    )
    assert [position for position, _ in ended.ends] == [
        "1[1].1[1].1", "1[1].1[2].1", "1[1].2", "1[2].1[1].1", "1[2].1[2].1", "1[2].2",
    ]  # fmt: skip
    assert ended.recorder.done[3].title == "a = 2 > repeat 1 > click `#x`"


async def test_a_failure_in_a_loop_ends_it() -> None:
    """The passes that are left are not listed; the run's error has the position."""
    ended = await interpret_case(
        """
        steps:
        - for_each: {rows: [ok, fails, ok], steps: [{click: "#${var.row}"}, {click: "#y"}]}
        - click: "#z"
        """
    )
    assert ended.ends == [
        ("1[1].1", "passed"),
        ("1[1].2", "passed"),
        ("1[2].1", "failed"),
        ("1[2].2", "skipped"),
        ("2", "skipped"),
    ]
    assert ended.verdict.error == "step 1[2].1: gone"


@pytest.mark.parametrize(("field", "last"), [("optional", "passed"), ("soft", "passed")])
async def test_a_loop_contains_a_failure(field: str, last: str) -> None:
    """The loop ends; the case goes on."""
    ended = await interpret_case(
        f"""
        steps:
        - repeat: {{times: 2, steps: [{{click: "#fails"}}]}}
          {field}: true
        - click: "#z"
        """
    )
    assert ended.ends == [("1[1].1", "skipped" if field == "optional" else "failed"), ("2", last)]
    assert ended.verdict.status is (RunStatus.COMPLETED if field == "optional" else RunStatus.FAILED)


@pytest.mark.parametrize(
    ("block", "note"),
    [
        ("for_each: {rows: [], steps: [{click: '#x'}]}", "there are no rows"),
        ("repeat: {times: 0, steps: [{click: '#x'}]}", "0 times"),
        ("repeat: {while: {title: A}, steps: [{click: '#x'}]}", "does not hold: page title 'A'"),
        ("repeat: {until: {title: B}, steps: [{click: '#x'}]}", "holds already: page title 'B'"),
        ("{if: {title: A}, then: [{click: '#x'}]}", "does not hold: page title 'A'"),
        ("{click: '#x', if: {title: A}}", "does not hold: page title 'A'"),
        ("{group: {name: G, steps: [{click: '#x'}]}, if: {title: A}}", "does not hold: page title 'A'"),
    ],
)
async def test_a_block_that_runs_nothing_has_a_row_that_says_why(block: str, note: str) -> None:
    ended = await interpret_case(f"steps:\n- {block}\n- click: '#z'", answer=title_is("B"))
    assert ended.ends == [("1", "skipped"), ("2", "passed")]
    assert ended.notes == {"1": (note,)}
    assert ended.verdict.status is RunStatus.COMPLETED


async def test_a_condition_chooses_the_branch() -> None:
    """Both branches have their positions in the block and keys of their own."""
    text = """
    steps:
    - if: {title: A}
      then: [{click: "#x"}]
      else: [{click: "#y"}]
    """
    yes = await interpret_case(text, answer=title_is("A"))
    no = await interpret_case(text, answer=title_is("B"))
    assert [(one.position, one.key, one.title) for one in (*yes.recorder.done, *no.recorder.done)] == [
        ("1.1", "1.1:click", "if page title 'A' > click `#x`"),
        ("1.1", "1.else.1:click", "else > click `#y`"),
    ]


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ("{title: A}", True),
        ("{title: B}", False),
        ("{title: A, not: true}", True),
        ("{not: {title: A}}", False),
        ("{all: [{title: A}, {title: A}]}", True),
        ("{all: [{title: A}, {title: B}]}", False),
        ("{any: [{title: B}, {title: A}]}", True),
        ("{any: [{title: B}, {title: C}]}", False),
        ("{not: {any: [{title: B}, {all: [{title: A}, {title: C}]}]}}", True),
    ],
)
async def test_conditions_join_checks(condition: str, holds: bool) -> None:
    """`not` beside a check belongs to the check, which is made as a whole."""
    ended = await interpret_case(f"steps: [{{click: '#x', if: {condition}}}]", answer=title_is("A"))
    assert ended.ends == [("1", "passed" if holds else "skipped")]


async def test_a_condition_is_decided_from_the_left() -> None:
    """What cannot change the result is not looked at."""
    ended = await interpret_case(
        "steps: [{click: '#x', if: {any: [{title: A}, {title: B}]}, timeout: 2s}]", answer=title_is("A")
    )
    assert ended.recorder.looks == ["page title 'A' in 2000 ms"]


async def test_a_condition_that_cannot_be_decided_fails_its_step() -> None:
    """An ambiguous element is a fault of the case, not an answer."""
    unclear = StepOutcome(error="button matches 2 elements", kind=ErrorKind.AMBIGUOUS)
    ended = await interpret_case("steps: [{click: '#x', if: {title: A}}, {click: '#y'}]", answer=lambda _: unclear)
    assert ended.ends == [("1", "failed"), ("2", "skipped")]
    assert ended.verdict.error == ("step 1: cannot decide the condition page title 'A': button matches 2 elements")


@pytest.mark.parametrize("loop", ["while: {title: A}", "until: {title: B}"])
async def test_a_loop_follows_its_condition(loop: str) -> None:
    ended = await interpret_case(
        f"steps: [{{repeat: {{{loop}, steps: [{{click: '#x'}}]}}}}]", answer=title_is("A", "A", "B")
    )
    assert [position for position, _ in ended.ends] == ["1[1].1", "1[2].1"]


@pytest.mark.parametrize(
    ("loop", "state"),
    [
        ("while: {title: A}", "page title 'A' still holds"),
        ("until: {title: B}", "page title 'B' still does not hold"),
    ],
)
async def test_an_endless_loop_fails(loop: str, state: str) -> None:
    ended = await interpret_case(
        f"steps: [{{repeat: {{{loop}, at_most: 2, steps: [{{click: '#x'}}]}}}}, {{click: '#y'}}]",
        answer=title_is("A"),
    )
    assert ended.ends == [("1[1].1", "passed"), ("1[2].1", "passed"), ("1", "failed"), ("2", "skipped")]
    assert ended.verdict.error == (
        f"step 1: after 2 passes {state}: correct the condition or the steps, or raise at_most"
    )


async def test_a_block_is_retried_until_it_passes() -> None:
    """A failed attempt is shown and does not count."""
    ended = await interpret_case(
        "steps: [{retry: {every: 1ms, steps: [{click: '#x'}, {click: '#fails twice'}]}}, {click: '#y'}]"
    )
    assert ended.ends == [
        ("1[1].1", "passed"),
        ("1[1].2", "skipped"),
        ("1[2].1", "passed"),
        ("1[2].2", "skipped"),
        ("1[3].1", "passed"),
        ("1[3].2", "passed"),
        ("2", "passed"),
    ]
    assert (ended.verdict.status, ended.verdict.failed) == (RunStatus.COMPLETED, 0)
    assert ended.recorder.results[1].error == "gone"
    assert ended.recorder.done[1].title == "retry, attempt 1 > click `#fails twice`"


@pytest.mark.parametrize(
    ("limit", "attempts"), [("attempts: 2, every: 1ms", "2 attempts"), ("for: 1ms", "1 attempt")]
)
async def test_a_retried_block_gives_up(limit: str, attempts: str) -> None:
    """The last error is that of the block."""
    ended = await interpret_case(f"steps: [{{retry: {{{limit}, steps: [{{click: '#fails'}}]}}}}, {{click: '#y'}}]")
    last = attempts[0]
    assert ended.ends[-2:] == [("1", "failed"), ("2", "skipped")]
    assert ended.verdict.failed == 1
    assert ended.verdict.error == (
        f"step 1: failed after {attempts} in 0.0 s; the last one: step 1[{last}].1: gone"
    )


async def test_a_soft_step_fails_its_attempt() -> None:
    """Inside a retry there is no failure that the attempt could go on after."""
    ended = await interpret_case(
        "steps: [{retry: {attempts: 1, steps: [{click: '#fails', soft: true}, {click: '#y'}]}}]"
    )
    assert ended.ends == [("1[1].1", "skipped"), ("1[1].2", "skipped"), ("1", "failed")]


async def test_an_optional_step_does_not_fail_its_attempt() -> None:
    ended = await interpret_case(
        "steps: [{retry: {attempts: 1, steps: [{click: '#fails', optional: true}, {click: '#y'}]}}]"
    )
    assert ended.ends == [("1[1].1", "skipped"), ("1[1].2", "passed")]


async def test_what_always_runs_inside_a_loop_runs_after_a_failure() -> None:
    ended = await interpret_case(
        "steps: [{repeat: {times: 2, steps: [{click: '#fails'}, {click: '#y', always_run: true}]}}]"
    )
    assert ended.ends == [("1[1].1", "failed"), ("1[1].2", "passed")]


async def test_steps_before_and_after() -> None:
    """They have positions and keys of their own; each step of `after` runs whatever happened."""
    ended = await interpret_case(
        """
        before: [{click: "#fails"}]
        steps: [{click: "#x"}]
        after: [{click: "#fails"}, {group: {name: Tidy, steps: [{click: "#fails"}, {click: "#y"}]}}, {click: "#z"}]
        """
    )
    assert ended.ends == [
        ("before.1", "failed"),
        ("1", "skipped"),
        ("after.1", "failed"),
        ("after.2.1", "failed"),
        ("after.2.2", "skipped"),
        ("after.3", "passed"),
    ]
    assert [step.key for step in ended.recorder.done][0::2] == [
        "before.1:click",
        "after.1:click",
        "after.2.2:click",
    ]
    assert ended.verdict.error == "step before.1: gone"


async def test_steps_after_run_although_the_run_was_cancelled() -> None:
    ended = await interpret_case(
        """
        steps: [{repeat: {times: 3, steps: [{click: "#x"}, {retry: {steps: [{click: "#fails"}]}}]}}]
        after: [{click: "#y"}]
        """,
        stop_at="1[1].2[1].1",
    )
    assert ended.ends == [
        ("1[1].1", "passed"),
        ("1[1].2[1].1", "skipped"),
        ("1[1].2", "failed"),
        ("after.1", "passed"),
    ]


async def test_a_run_executes_a_limited_number_of_steps() -> None:
    """No block can contain that failure; `after` has the same number again."""
    ended = await interpret_case(
        """
        steps:
        - repeat: {times: 9, steps: [{click: "#x"}]}
          optional: true
        - click: "#y"
        after: [{click: "#z"}]
        """,
        max_steps=2,
    )
    assert ended.ends == [
        ("1[1].1", "passed"),
        ("1[2].1", "passed"),
        ("1[3].1", "failed"),
        ("2", "skipped"),
        ("after.1", "passed"),
    ]
    assert ended.verdict.error == (
        "step 1[3].1: the run has executed 2 steps, which is the most (QA_RUN_STEPS): end its loops earlier, or "
        "split the case"
    )


async def test_steps_that_a_condition_leaves_out_count_too() -> None:
    """Else a loop could write rows without end; nothing is recorded after the one that was too many."""
    ended = await interpret_case(
        """
        steps: [{repeat: {times: 900, steps: [{click: "#x", if: {title: Never}}]}}]
        """,
        max_steps=3,
        answer=lambda _: StepOutcome(error="no", kind=ErrorKind.ASSERTION),
    )
    assert ended.ends == [
        *((f"1[{number}].1", "skipped") for number in (1, 2, 3)),
        ("1[4].1", "failed"),
    ]
    assert "QA_RUN_STEPS" in (ended.verdict.error or "")


@pytest.mark.parametrize(
    "loop",
    [
        "repeat: {times: 900, steps: [%s]}",
        "for_each: {rows: [1, 2, 3, 4], steps: [%s]}",
        "retry: {attempts: 900, every: 1ms, steps: [%s, {click: '#fails'}]}",
    ],
)
async def test_the_loops_of_a_run_make_a_limited_number_of_passes(loop: str) -> None:
    """All together, with or without steps in them; the failure cannot be contained, and `after` runs."""
    inner = "repeat: {while: {title: Never}, steps: [{click: '#x'}]}"
    ended = await interpret_case(
        f"""
        steps: [{{{loop % f"{{{inner}}}"}, optional: true}}, {{click: "#y"}}]
        after: [{{click: "#z"}}]
        """,
        max_passes=2,
        answer=lambda _: StepOutcome(error="no", kind=ErrorKind.ASSERTION),
    )
    assert ended.verdict.error == (
        "step 1: the loops of the run have made 2 passes, which is the most (QA_RUN_PASSES): end them earlier"
    )
    assert ended.ends[-3:] == [("1", "failed"), ("2", "skipped"), ("after.1", "passed")]


@pytest.mark.parametrize(
    ("steps", "total"),
    [
        ("[{click: '#x'}, {group: {name: G, steps: [{click: '#x'}, {click: '#x'}]}}]", 3),
        ("[{for_each: {rows: [1, 2, 3], steps: [{click: '#x'}, {click: '#x'}]}}]", 6),
        ("[{repeat: {times: 4, steps: [{click: '#x'}]}}]", 4),
        ("[{for_each: {rows: [], steps: [{click: '#x'}]}}]", 1),
        ("[{click: '#x', if: {title: A}}]", 1),
        ("[{for_each: {rows: '${var.x}', steps: [{click: '#x'}]}}]", None),
        ("[{repeat: {while: {title: A}, steps: [{click: '#x'}]}}]", None),
        ("[{if: {title: A}, then: [{click: '#x'}]}]", None),
        ("[{retry: {steps: [{click: '#x'}]}}]", None),
        ("[{group: {name: G, steps: [{retry: {steps: [{click: '#x'}]}}]}}]", None),
        ("[{group: {name: G, steps: [{click: '#x'}, {click: '#x'}]}, if: {title: A}}]", None),
    ],
)
def test_the_number_of_rows_is_known_or_unknown(steps: str, total: int | None) -> None:
    """What depends on the run is not guessed."""
    assert read_case(f"steps: {steps}").known_total == total
