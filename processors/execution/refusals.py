"""Refusals of cases that could misuse what the worker gives them."""

from __future__ import annotations

from qa_queue.cases.model import Case
from qa_queue.cases.secret_guesses import guesses
from qa_queue.errors import InputError


def refuse_scripts(case: Case) -> None:
    """Refuse a case with scripts.

    Raises:
        InputError: the case runs scripts.
    """
    if words := [step.action for _, step in case.steps_by_path() if step.args.runs_script]:
        raise InputError(
            f"the case uses {words[0]!r}, which runs scripts: this is only allowed for runs of "
            "`qa-queue run FILE`. Set QA_EVALUATE=always for the workers to allow it for all."
        )


def refuse_own_answers(case: Case) -> None:
    """Refuse secrets to a case that is itself the source of a page's scripts, which could send them anywhere.

    Raises:
        InputError: a step answers the requests of pages.
    """
    for _, step in case.steps_by_path():
        if step.args.answers_pages:
            raise InputError(
                f"{step.args.sentence()!r} answers requests of pages, so the case may not use secrets: run it "
                "with `qa-queue run FILE`, or remove the step or the secrets."
            )


def refuse_guesses(case: Case) -> None:
    """Refuse secrets where the outcome of a step would tell them letter by letter.

    Raises:
        InputError: names the first place.
    """
    for place in guesses(case):
        raise InputError(
            f"{place} stands in a condition, a target, an expression or a comparison, by which the case could find "
            "the secret out: only `qa-queue run FILE` may use it there. Fill it in, send it with `request`, or "
            "compare the whole text of an element with it."
        )
