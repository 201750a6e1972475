"""Decisions about evidence: which tries are recorded, with what content, and which recordings are kept."""

from __future__ import annotations

import pytest

from processors.browser.protocol import TraceContent
from processors.execution.evidence import EvidencePlan, keeps, records
from qa_queue.models import ArtifactKind, EvidenceMode, ScreenshotMode, TestConfig
from tests.support.steps import case, goto

TRACE, VIDEO = ArtifactKind.TRACE, ArtifactKind.VIDEO
GIVEN = frozenset({TRACE})


@pytest.mark.parametrize(
    ("mode", "test_try", "secrets", "content"),
    [
        (EvidenceMode.OFF, 1, False, TraceContent.NONE),
        (EvidenceMode.ON, 1, False, TraceContent.FILM),
        (EvidenceMode.ON, 1, True, TraceContent.SNAPSHOTS),
        (EvidenceMode.ON_FAILURE, 1, False, TraceContent.SNAPSHOTS),
        (EvidenceMode.ON_FIRST_RETRY, 1, False, TraceContent.NONE),
        (EvidenceMode.ON_FIRST_RETRY, 2, False, TraceContent.FILM),
        (EvidenceMode.ON_FIRST_RETRY, 3, False, TraceContent.NONE),
        (EvidenceMode.ON_FAILURE_AND_RETRIES, 2, False, TraceContent.SNAPSHOTS),
    ],
)
def test_what_a_trace_records(mode: EvidenceMode, test_try: int, secrets: bool, content: TraceContent) -> None:
    """No film of a run with secrets, nor in traces that most runs throw away."""
    assert EvidencePlan(trace=mode, given=GIVEN, secrets=secrets).trace_content(test_try) is content


def test_a_trace_that_nobody_asked_for_is_light_in_the_first_try() -> None:
    """Its calls cost little; a retry is rare, and has snapshots."""
    default = EvidencePlan()
    assert (default.trace_content(1), default.trace_content(2)) == (TraceContent.CALLS, TraceContent.SNAPSHOTS)


@pytest.mark.parametrize(
    ("mode", "first", "retry", "third"),
    [  # kept of a good and of a bad try
        (EvidenceMode.OFF, (False, False), (False, False), (False, False)),
        (EvidenceMode.ON, (True, True), (True, True), (True, True)),
        (EvidenceMode.ON_FAILURE, (False, True), (False, True), (False, True)),
        (EvidenceMode.ON_FIRST_RETRY, (False, False), (True, True), (False, False)),
        (EvidenceMode.ON_FAILURE_AND_RETRIES, (False, True), (True, True), (True, True)),
    ],
)
def test_which_recordings_are_kept(
    mode: EvidenceMode, first: tuple[bool, bool], retry: tuple[bool, bool], third: tuple[bool, bool]
) -> None:
    """By the number of the try and its end; whatever may be kept is recorded."""
    for test_try, wanted in enumerate((first, retry, third), 1):
        assert tuple(keeps(mode, test_try, good=good) for good in (True, False)) == wanted
        assert records(mode, test_try) or wanted == (False, False)


def test_the_settings_of_a_run_win_over_those_of_its_case() -> None:
    """What neither names has its default, and is left to the options of a pytest suite."""
    written = case(goto("/"), trace="off", har="on")
    plan = EvidencePlan.of(written, TestConfig(trace=EvidenceMode.ON), secrets=False)
    assert (plan.trace, plan.har, plan.video) == (EvidenceMode.ON, EvidenceMode.ON, EvidenceMode.OFF)
    assert plan.given == {TRACE, ArtifactKind.HAR}
    assert plan.suite_options(1) == {"tracing": "on", "har": "on"}


def test_a_run_with_secrets_has_no_video_and_pictures_of_every_step_include_the_end() -> None:
    """A video cannot be searched."""
    plan = EvidencePlan(video=EvidenceMode.ON, screenshots=ScreenshotMode.EVERY_STEP, secrets=True)
    assert not plan.records(VIDEO, 1)
    assert plan.keeps(ArtifactKind.SCREENSHOT, 1, good=True)


def test_a_case_without_pictures_notes_what_was_asked_for() -> None:
    """In the case or for the run, as far as it shows pages; there is no note on what was not asked for."""
    written = case(goto("/"), secrets="no-pictures", trace="on", har="on", screenshots="off")
    plan = EvidencePlan.of(written, TestConfig(video=EvidenceMode.ON_FAILURE), secrets=True)
    reason = "recorded: the case says `secrets: no-pictures`."
    assert plan.notes == (f"No trace was {reason}", f"No video was {reason}")
    every = EvidencePlan.of(written, TestConfig(screenshots=ScreenshotMode.EVERY_STEP), secrets=False)
    assert every.notes == (f"No trace was {reason}", f"No screenshots were {reason}")
    assert EvidencePlan.of(case(goto("/"), secrets="no-pictures"), TestConfig(), secrets=True).notes == ()


def test_a_run_with_secrets_notes_that_it_has_no_video() -> None:
    """Where one was asked for; without secrets there is nothing to note."""
    assert EvidencePlan(video=EvidenceMode.ON_FAILURE, secrets=True).notes[0].startswith("No video was recorded")
    assert EvidencePlan(video=EvidenceMode.ON).notes == EvidencePlan(secrets=True).notes == ()
