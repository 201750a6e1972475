"""Decisions about the evidence of a try: what is recorded, and what of it is kept. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

from processors.browser.protocol import TraceContent
from qa_queue.cases.model import Case
from qa_queue.models import ArtifactKind, EvidenceMode, ScreenshotMode, TestConfig

_KINDS = {
    "trace": ArtifactKind.TRACE,
    "video": ArtifactKind.VIDEO,
    "har": ArtifactKind.HAR,
    "screenshots": ArtifactKind.SCREENSHOT,
}
_NO_PICTURES: dict[str, Any] = {
    "trace": EvidenceMode.OFF,
    "video": EvidenceMode.OFF,
    "screenshots": ScreenshotMode.OFF,
}
_SUITE_OPTIONS = {  # of pytest-playwright, by kind: the option and its value that records every test
    ArtifactKind.TRACE: ("tracing", "on"),
    ArtifactKind.VIDEO: ("video", "on"),
    ArtifactKind.SCREENSHOT: ("screenshot", "on"),
    ArtifactKind.HAR: ("har", "on"),
}


def records(mode: EvidenceMode, test_try: int) -> bool:
    """Return True if a try is recorded, whether or not that is kept."""
    return mode is not EvidenceMode.OFF and (mode is not EvidenceMode.ON_FIRST_RETRY or test_try == 2)


def keeps(mode: EvidenceMode, test_try: int, *, good: bool) -> bool:
    """Return True if the recording of a try is kept, by its end."""
    if not records(mode, test_try):
        return False
    match mode:
        case EvidenceMode.ON_FAILURE:
            return not good
        case EvidenceMode.ON_FAILURE_AND_RETRIES:
            return not good or test_try > 1
    return True


@dataclass(frozen=True, kw_only=True)
class EvidencePlan:
    """The modes of a run's evidence, by kind.

    `given` are the kinds that the case or the run names; the others have their defaults. `withheld` are those that
    they ask for and `secrets: no-pictures` switches off. Videos and films cannot be searched for secrets, so a run
    with `secrets` has neither.
    """

    trace: EvidenceMode = EvidenceMode.ON_FAILURE
    video: EvidenceMode = EvidenceMode.OFF
    har: EvidenceMode = EvidenceMode.OFF
    screenshots: ScreenshotMode = ScreenshotMode.ON_FAILURE
    given: frozenset[ArtifactKind] = frozenset()
    withheld: tuple[str, ...] = ()
    secrets: bool = False

    @classmethod
    def of(cls, case: Case, config: TestConfig, *, secrets: bool) -> Self:
        """Return the plan of a case with the settings of its run, which win.

        Of a case with `secrets: no-pictures`, nothing may show a page.
        """
        modes = {name: getattr(config, name) or getattr(case, name) for name in _KINDS}
        given = {name: mode for name, mode in modes.items() if mode is not None}
        off = _NO_PICTURES if case.secrets == "no-pictures" else {}
        withheld = tuple(name for name, mode in off.items() if given.get(name, mode) is not mode)
        given |= off
        kinds = frozenset(_KINDS[name] for name in given)
        return cls(**given, given=kinds, withheld=withheld, secrets=secrets)

    def mode(self, kind: ArtifactKind) -> EvidenceMode:
        """Return the mode of a kind; pictures of every step are those of every test too."""
        every_step = self.screenshots is ScreenshotMode.EVERY_STEP
        pictures = EvidenceMode.ON if every_step else EvidenceMode(self.screenshots.value)
        modes = {ArtifactKind.TRACE: self.trace, ArtifactKind.HAR: self.har, ArtifactKind.SCREENSHOT: pictures}
        return modes.get(kind, EvidenceMode.OFF if self.secrets else self.video)

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences about what is asked for and is not recorded."""
        found = [f"No {name} recorded: the case says `secrets: no-pictures`." for name in map(_were, self.withheld)]
        if self.secrets and self.video is not EvidenceMode.OFF:
            found.append("No video was recorded: it cannot be searched for the secrets that the run has.")
        return tuple(found)

    def records(self, kind: ArtifactKind, test_try: int) -> bool:
        """Return True if a try records this kind."""
        return records(self.mode(kind), test_try)

    def keeps(self, kind: ArtifactKind, test_try: int, *, good: bool) -> bool:
        """Return True if what a try recorded is kept."""
        return keeps(self.mode(kind), test_try, good=good)

    def trace_content(self, test_try: int) -> TraceContent:
        """Return the content of a try's trace.

        DOM snapshots add 10 to 13 % to the CPU of a run and a film 35 to 50 %, calls alone at most 5 %
        (`benchmarks/tracing.py`). So the first try has snapshots only where a trace is asked for, and a film only
        where the trace is kept in any case.
        """
        if not self.records(ArtifactKind.TRACE, test_try):
            return TraceContent.NONE
        if test_try == 1 and ArtifactKind.TRACE not in self.given:
            return TraceContent.CALLS
        always = self.trace in (EvidenceMode.ON, EvidenceMode.ON_FIRST_RETRY)
        return TraceContent.FILM if always and not self.secrets else TraceContent.SNAPSHOTS

    def suite_options(self, test_try: int) -> dict[str, str]:
        """Return the options of pytest-playwright for a try; kinds that are not given are left to the suite."""
        found = {}
        for kind in sorted(self.given):
            option, on = _SUITE_OPTIONS[kind]
            found[option] = on if self.records(kind, test_try) else "off"
        return found


def _were(name: str) -> str:
    return f"{name} {'were' if name.endswith('s') else 'was'}"
