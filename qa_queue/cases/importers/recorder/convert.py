"""A recording as a whole: its steps in order, its first page as the base URL, its timeouts, its notes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from qa_queue.cases.actions import (
    Click,
    ClosePage,
    DoubleClick,
    Fill,
    Goto,
    Hover,
    Press,
    SetViewport,
    SwitchPage,
    WaitFor,
)
from qa_queue.cases.document_path import INVALID, DocumentPath, ProblemReport
from qa_queue.cases.importers.recorder.keys import Presses, presses, repeats
from qa_queue.cases.importers.recorder.steps import MAIN_PAGE, RECORDED_TYPES, Made, Raw, make, page_of, switch_to
from qa_queue.cases.model import MAX_STEPS, STEP_TIMEOUT_MS, Case, Step, Use
from qa_queue.cases.rebase import first_origin, relative_steps
from qa_queue.cases.texts import map_texts
from qa_queue.cases.values import Escaping, escaped
from qa_queue.cases.vocabulary import MAX_DURATION_MS
from qa_queue.errors.validation import kind_text
from qa_queue.models import Viewport

_MAX_NAME = 200
_OPENING = (Click, DoubleClick, Fill, Hover, Press)  # actions that may open a page


@dataclass(frozen=True)
class Converted:
    """A case made from a recording."""

    case: Case

    @property
    def notes(self) -> tuple[str, ...]:
        """The losses of the import, a sentence for each."""
        return self.case.notes


@dataclass
class _Draft:
    """The steps and notes converted so far, and the page that the last step acted on; None where it was closed."""

    steps: list[Step] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    viewport: Viewport | None = None
    page: str | None = MAIN_PAGE


def is_recording(document: Any) -> bool:
    """Return True for a recording of Chrome DevTools Recorder.

    With a title, any typed step identifies it; without one, a step of a type that the recorder writes.
    """
    if not isinstance(document, dict) or "name" in document or not isinstance(document.get("steps"), list):
        return False
    steps = [step for step in document["steps"] if isinstance(step, dict)]
    if "title" in document:
        return not document["steps"] or any("type" in step for step in steps)
    return any(step.get("type") in RECORDED_TYPES for step in steps if isinstance(step.get("type"), str))


def convert_recording(
    place: DocumentPath, document: dict[str, Any], *, default_name: str = "recording"
) -> Converted:
    """Return the case of a recording.

    Raises:
        CaseError: a step is not a mapping, or none of them can be carried over.
    """
    raw_steps = _raw_steps(place, document)
    draft = _Draft()
    repeated, pressed = repeats(raw_steps), presses(raw_steps)
    for index, step in enumerate(raw_steps):
        if index in repeated:
            draft.notes.append(_note(index, step, f"not carried over: {repeated[index]}"))
        else:
            _convert(draft, place.at("steps", index), step, _timeout(step, document), pressed)
        if len(draft.steps) > MAX_STEPS:
            place.at("steps").wrong(
                f"make more than {MAX_STEPS} steps; {MAX_STEPS} are allowed: split the recording"
            )
            break
    if not draft.steps and not place.report.problems:
        place.at("steps").wrong("the recording has no step that can be carried over")
    place.report.raise_if_any()
    return Converted(_case(document, default_name, draft))


def _raw_steps(place: DocumentPath, document: dict[str, Any]) -> Sequence[dict[str, Any]]:
    for index, step in enumerate(document["steps"]):
        if not isinstance(step, dict):
            place.at("steps", index).wrong(f"expected a recorded step, got {kind_text(step)}")
    place.report.raise_if_any()
    steps: list[dict[str, Any]] = document["steps"]
    return steps


def _convert(
    draft: _Draft, place: DocumentPath, step: dict[str, Any], timeout_ms: int | None, pressed: Presses
) -> None:
    index = int(place.path[-1])
    report = ProblemReport(place.report.source)
    made = make(Raw(DocumentPath(report, place.path), step, pressed.chords.get(index), pressed.held.get(index, ())))
    if made is INVALID:
        draft.notes += [_note(index, step, f"not carried over: {problem.text}") for problem in report.problems]
        return
    draft.notes += _notes(index, step, made)
    for action in (*_switches(draft, step, made), *made.actions):
        if isinstance(action, SetViewport) and not draft.steps:
            draft.viewport = Viewport(width=action.width, height=action.height)
        else:
            plain = map_texts(action, Escaping())
            draft.steps.append(Step(args=plain, timeout_ms=timeout_ms, line=place.line))
    if made.navigates and not made.dropped:
        _await_navigation(draft, timeout_ms)


def _switches(draft: _Draft, step: dict[str, Any], made: Made) -> tuple[SwitchPage, ...]:
    """The switch to the page of a step, where the step before acted on another one."""
    page, before = page_of(step), draft.page
    if not made.actions:
        return ()
    draft.page = None if isinstance(made.actions[-1], ClosePage) else page
    return () if page == before else (switch_to(page),)


def _await_navigation(draft: _Draft, timeout_ms: int | None) -> None:
    """Let the last step wait for the page that it opens, as a keyUp's press; a step that acts on nothing waits for
    the load of a page that was opened before."""
    if draft.steps and isinstance(draft.steps[-1].args, _OPENING):
        draft.steps[-1] = draft.steps[-1].model_copy(update={"navigates": True})
    elif draft.steps:
        draft.steps.append(Step(args=WaitFor(load_state="load"), timeout_ms=timeout_ms))


def _notes(index: int, step: dict[str, Any], made: Made) -> list[str]:
    dropped = [f"not carried over: {made.dropped}"] if made.dropped else []
    return [_note(index, step, text) for text in (*dropped, *made.notes)]


def _note(index: int, step: dict[str, Any], text: str) -> str:
    return f"step {index + 1} ({step.get('type')}): {text}"


def _whole_notes(draft: _Draft) -> list[str]:
    opened = any(isinstance(step.args, Goto) for step in draft.steps)
    return [] if opened else ["the recording opens no page: add a goto step before its first one"]


def _timeout(step: dict[str, Any], document: dict[str, Any]) -> int | None:
    """The step's own timeout, else the flow's; None for the default of 5 s, which is the same here."""
    value = step.get("timeout") or document.get("timeout")
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 1 <= value <= MAX_DURATION_MS:
        return None
    return None if int(value) == STEP_TIMEOUT_MS else int(value)


def _case(document: dict[str, Any], default_name: str, draft: _Draft) -> Case:
    title = document.get("title")
    origin = first_origin(draft.steps)
    name = ((title.strip() if isinstance(title, str) else "") or default_name)[:_MAX_NAME]
    return Case(
        name=escaped(name)[:_MAX_NAME],
        base_url=origin,
        use=Use(viewport=draft.viewport) if draft.viewport else Use(),
        notes=(*draft.notes, *_whole_notes(draft)),
        steps=relative_steps(draft.steps, origin) if origin else tuple(draft.steps),
    )
