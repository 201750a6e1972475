"""The case format, version 1, as values: a case or a suite, as YAML, JSON and the `test_cases` table hold them.

In a file a step is `{ACTION: ARGS, ...fields}`; here it is a `Step` with `args`, an instance of the action's class.
`${...}` stays text here and is filled in by `values` when the run starts. Durations are ms.
"""

import re
from base64 import b64decode
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BaseModel, Field, ValidationError, model_validator

from qa_queue.cases.checks import ToHaveScreenshot
from qa_queue.cases.environment import Use
from qa_queue.cases.logins import Login, steps_of_logins
from qa_queue.cases.parts import (
    FORMAT_VERSION,
    MAX_STEPS,
    Base64Picture,
    Flow,
    Param,
    PytestTests,
    Rows,
    Shared,
    Title,
)
from qa_queue.cases.steps import ACTIONS, HealMode, Step
from qa_queue.cases.targets import Target
from qa_queue.cases.traversal import known_total, placed, walk
from qa_queue.cases.vocabulary import DOCUMENT, NAMES_SCHEMA, Duration, Json, Many, Name, all_keys
from qa_queue.errors.schema_path import KeyPath
from qa_queue.errors.validation import Problem, problems_of
from qa_queue.models import EvidenceMode, RetryStrategy, ScreenshotMode
from qa_queue.models.payloads import RUN_TIMEOUT_MS

STEP_TIMEOUT_MS = 5_000
_LOGIN_SHARE = 6  # times the time-out of a login
__all__ = [
    "FORMAT_VERSION",
    "MAX_STEPS",
    "RUN_TIMEOUT_MS",
    "STEP_TIMEOUT_MS",
    "Case",
    "Flow",
    "Param",
    "PytestTests",
    "Step",
    "Suite",
    "Target",
    "Use",
    "read_document",
]


class Case(Shared):
    """A test as written. `key` (its `id`, else its name) names it across machines and versions.

    `vars` are the values of `${var.X}`, JSON values; they may contain `${env.X}`, `${data.X}`, `${run.X}` and
    generated values, never a secret or another variable.
    """

    mapping_only: ClassVar[str | None] = "a mapping with 'name' and 'steps'"
    one_of: ClassVar[tuple[str, ...]] = ("steps", "pytest")

    id: Title | None = Field(None, description="A name that stays when `name` changes.")
    name: Title = Field(description="The behaviour that the case shows, for people.")
    retries: Annotated[int, Field(ge=0, le=10)] = Field(
        0, description="How often the test is tried again; a pass then counts as flaky."
    )
    retry_strategy: Annotated[RetryStrategy, Field(strict=False)] = Field(
        RetryStrategy.IMMEDIATE,
        description="When it is tried again: at once, or after all other waiting runs and alone in its worker.",
    )
    timeout_ms: Duration = Field(
        RUN_TIMEOUT_MS,
        validation_alias="timeout",
        serialization_alias="timeout",
        description="Of the whole run; 60s by default.",
    )
    trace: Annotated[EvidenceMode | None, Field(strict=False)] = Field(
        None, description="When a Playwright trace is kept; `on-failure` by default."
    )
    video: Annotated[EvidenceMode | None, Field(strict=False)] = Field(
        None, description="When a video of each page is kept; never of a run with secrets. `off` by default."
    )
    har: Annotated[EvidenceMode | None, Field(strict=False)] = Field(
        None, description="When the network traffic is kept, as a HAR file; `off` by default."
    )
    screenshots: Annotated[ScreenshotMode | None, Field(strict=False)] = Field(
        None,
        description="When pictures are kept: of the failed step, of the end of a good run, or of every step; "
        "`on-failure` by default.",
    )
    heal: HealMode = Field("auto", description="What to do when a target is not found.")
    dialogs: Literal["accept", "dismiss"] | None = Field(
        None,
        description="The answer to dialogs that no `dialog` step answers; otherwise they are dismissed and noted.",
    )
    secrets: Literal["masked", "no-pictures"] = Field(
        "masked",
        description="What hides secrets: masks in pictures and texts, or no pictures and traces at all, for pages "
        "that show a secret in another form.",
    )
    vars: dict[Name, Json] = Field(
        default_factory=dict, description="Values of ${var.NAME}.", json_schema_extra=NAMES_SCHEMA
    )
    notes: Many[str] = Field((), description="Losses of the import that made the case; every run shows them.")
    steps: Many[Step] = Field((), min_length=1, max_length=MAX_STEPS, description="The steps, in order.")
    data: Rows = Field(
        (), description="Rows of values, each for a run of its own: a list of mappings, or a CSV or JSON file."
    )
    flows: dict[str, Flow] = Field(
        default_factory=dict, description="The flows that the case uses, by their files; `qa-queue` reads them."
    )
    baselines: dict[str, Base64Picture] = Field(
        default_factory=dict,
        description="The baselines of its screenshots, PNGs in base64 by their files; `qa-queue` reads them.",
    )
    pytest: PytestTests | None = Field(None, description="Tests of a pytest suite, instead of steps.")

    def disagreements(self) -> Iterable[str]:
        """Yield that it has neither steps nor tests of a suite, or both."""
        given = self.given() & set(self.one_of)
        if not given:
            yield "'steps' is missing"
        if len(given) > 1:
            yield "'steps' and 'pytest' exclude each other"
        pictured = any(step.screenshot or step.action == "screenshot" for _, step in self.own_steps())
        if self.secrets == "no-pictures" and pictured:
            yield "'secrets: no-pictures' and a step with a screenshot exclude each other"

    @property
    def key(self) -> str:
        """Its name across files and versions."""
        return self.id or self.name

    def sequences(self) -> Iterator[tuple[str, tuple[Step, ...]]]:
        """Yield the keys that hold steps, and their steps, in the order in which they run."""
        yield from (("before", self.before), ("steps", self.steps), ("after", self.after))

    def steps_by_path(self) -> Iterator[tuple[KeyPath, Step]]:
        """Yield every step with its path in the document, each before those inside it."""
        yield from self.own_steps()
        yield from steps_of_logins(self.used_logins)
        for key, flow in self.flows.items():
            yield from walk(flow.steps, ("flows", key, "steps"))

    @property
    def login_ms(self) -> int:
        """The most time that a try needs for its login: to wait for another run, to sign in and to check it."""
        return max((_LOGIN_SHARE * login.timeout_ms for login in self.used_logins.values()), default=0)

    @property
    def used_logins(self) -> dict[str, Login]:
        """The login that `use.storage_state` names; all of them where only the run knows the name."""
        name = self.use.storage_state
        if name is not None and "${" in name:
            return self.logins
        return {name: self.logins[name]} if name in self.logins else {}

    def own_steps(self) -> Iterator[tuple[KeyPath, Step]]:
        """Yield every step but those of flows and logins, as `steps_by_path`."""
        for name, steps in self.sequences():
            yield from walk(steps, (name,))

    def placed_steps(self) -> Iterator[tuple[str, KeyPath, Step]]:
        """Yield every step with its place, as `3.2`, `3.else.1` or `after.1`, and its path in the document."""
        for name, steps in self.sequences():
            yield from placed(steps, (name,), "" if name == "steps" else f"{name}.")

    def placed_flow_steps(self) -> Iterator[tuple[str, str, KeyPath, Step]]:
        """Yield the file of every flow with each of its steps, their place in the flow and path in the document."""
        for key, flow in self.flows.items():
            yield from ((key, *found) for found in placed(flow.steps, ("flows", key, "steps")))

    @property
    def baseline_pictures(self) -> dict[str, bytes]:
        """The baselines of its screenshots, PNGs by file name."""
        return {file: b64decode(text) for file, text in self.baselines.items()}

    @property
    def screenshot_names(self) -> frozenset[str]:
        """The names of the screenshots that its steps compare."""
        checks = (check for _, step in self.steps_by_path() for check in step.checks())
        return frozenset(check.screenshot for check in checks if isinstance(check, ToHaveScreenshot))

    @property
    def step_count(self) -> int:
        """The number of steps as written, those inside blocks included."""
        return sum(1 for _ in self.steps_by_path())

    @property
    def known_total(self) -> int | None:
        """The number of rows that a try of the case has; None where it depends on the run."""
        return known_total((step for _, steps in self.sequences() for step in steps), self.flow_steps)

    @property
    def flow_steps(self) -> dict[str, tuple[Step, ...]]:
        """The steps of each flow."""
        return {key: flow.steps for key, flow in self.flows.items()}

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        if (count := self.step_count) > MAX_STEPS:
            raise ValueError(f"has {count} steps, those inside blocks included; at most {MAX_STEPS} are possible")
        return self

    def under(self, suite: "Suite") -> "Case":
        """Return the case with the values that its suite shares laid under its own."""
        shared = {
            name: getattr(suite, name)
            for name in Shared.model_fields
            if name in suite.model_fields_set and name not in self.model_fields_set
        }
        tags = tuple(dict.fromkeys((*suite.tags, *self.tags)))
        own = {name: getattr(self.use, name) for name in self.use.model_fields_set}
        joined = {
            "tags": tags,
            "use": suite.use.model_copy(update=own),
            "logins": {**suite.logins, **self.logins},
            "before": (*suite.before, *self.before),
            "after": (*self.after, *suite.after),
        }
        return self.model_copy(update=shared | joined)


class Suite(Shared):
    """Several cases in one file, and the values that they share."""

    suite: Title = Field(description="Name of the suite.")
    cases: Annotated[Many[Any], Field(min_length=1)] = Field(description="The cases.")


def read_document(
    model: type[Case] | type[Suite] | type[Flow] | type[Use], document: Any, *, at: KeyPath = (), **where: Any
) -> tuple[Any, tuple[Problem, ...]]:
    """Return a document as a value of the model, or None and what is wrong with it.

    `at` is the document's path in its file; `where` are `source` and `lines`, for messages.
    """
    try:
        return model.model_validate(document, context=DOCUMENT, by_alias=True, by_name=False), ()
    except ValidationError as error:
        found = problems_of(error, model, document=document, at=at, **where)
        return None, tuple(_with_section(problem, model) for problem in found)


def _with_section(problem: Problem, model: type[BaseModel]) -> Problem:
    """Return a problem with a key of another section of the format with the section that it belongs to."""
    name = str(problem.path[-1]) if problem.path else ""
    unknown = re.match(f"unknown (key|action) {re.escape(repr(name))}", problem.text)
    if unknown is None or "it belongs" in problem.text or "it is a check" in problem.text:
        return problem
    section = _section_of(name, model, of_step=unknown[1] == "action")
    if section is None:
        return problem
    return replace(problem, text=f"unknown {unknown[1]} {name!r}; {section}")


def _section_of(name: str, model: type[BaseModel], *, of_step: bool) -> str | None:
    """Return the section of the format that an unknown key of a document, or an unknown action, belongs to."""
    if of_step and name in all_keys(Case):
        return "it is a key of the case: write it beside 'steps'"
    if name in all_keys(Use) and (of_step or model in (Case, Suite)):
        return "it belongs under 'use' of the case"
    if model is Suite and name in all_keys(Case):
        return "it is a key of a case: write it inside 'cases'"
    return f"it is an action: write it as a step, `- {name}: ...`" if name in ACTIONS else None
