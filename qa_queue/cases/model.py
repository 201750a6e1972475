"""The case format, version 1, as values: what YAML, JSON and the `test_cases` table all hold.

In a file a step is `{ACTION: ARGS, ...fields}`; here it is a `Step` with `action`, `args` (one class an action)
and the fields. `${...}` stays text here and is filled in by `values` when the run starts. Durations are ms.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, SerializeAsAny, model_validator

from qa_queue.cases.urls import WebUrl
from qa_queue.models import Frozen, TraceMode, Viewport

FORMAT_VERSION: Literal[1] = 1
STEP_TIMEOUT_MS = 5_000
RUN_TIMEOUT_MS = 60_000

LOCATOR_KINDS = (
    "role",
    "label",
    "text",
    "placeholder",
    "alt",
    "title",
    "test_id",
    "css",
    "xpath",
    "selector",
    "name",
)


class Target(Frozen):
    """How a step names an element: one kind of locator, narrowed, with fallbacks in order.

    Strict: two matches are an error. `selector` is a Playwright selector (a bare string in a file). `name` alone,
    without `role`, means "any interactive role with this accessible name", as the Recorder's `aria/` selectors do.
    `within` is found first and searched inside; `frame` names an iframe element.
    """

    role: str | None = None
    name: str | None = None
    exact: bool | None = None
    checked: bool | None = None
    level: int | None = None
    label: str | None = None
    text: str | None = None
    placeholder: str | None = None
    alt: str | None = None
    title: str | None = None
    test_id: str | None = None
    css: str | None = None
    xpath: str | None = None
    selector: str | None = None
    within: Target | None = None
    frame: Target | None = None
    has_text: str | None = None
    nth: int | None = None
    visible: bool | None = None
    fallbacks: tuple[Target, ...] = ()


class Args(Frozen):
    """The arguments of one action."""


class Goto(Args):
    """Open a URL, joined to the base URL."""

    url: WebUrl


class OnTarget(Args):
    """An action on one element."""

    target: Target


class Click(OnTarget):
    """Click, dblclick: `position` is an offset in px from the element's top left corner."""

    button: Literal["left", "right", "middle"] = "left"
    position: tuple[float, float] | None = None


class Fill(OnTarget):
    """Set a field's value at once (fill) or key by key (type)."""

    value: str


class Press(Args):
    """Press a key or chord, on an element or on the page."""

    key: str
    target: Target | None = None


class Select(OnTarget):
    """Choose options by value or label."""

    value: str | None = None
    label: str | None = None
    values: tuple[str, ...] = ()


class Upload(OnTarget):
    """Give files to a file input; paths are relative to the case file."""

    files: tuple[str, ...] = Field(min_length=1)


class WaitFor(Args):
    """Wait for an element's state, a URL (glob), or a load state."""

    target: Target | None = None
    state: Literal["visible", "hidden", "attached", "detached"] = "visible"
    url: str | None = None
    load_state: Literal["load", "domcontentloaded", "networkidle"] | None = None
    count: int | None = Field(default=None, ge=0)


class Screenshot(Args):
    """Take a picture of the page or of one element."""

    name: str | None = None
    target: Target | None = None
    full_page: bool = False


class SetViewport(Args):
    """Change the size of the page, in CSS px."""

    width: int = Field(ge=1, le=10_000)
    height: int = Field(ge=1, le=10_000)


class Expect(Args):
    """One assertion, retried until the step's time-out.

    Exactly one of the checks is set. Those on an element need `target`; `url` (glob) and `title` take none.
    `negate` (`not: true` in a file) turns it round. A check that is given as false is kept as its opposite, so
    `checked=False` becomes `checked=True, negate=True`: a check here is either None or to be made.
    """

    target: Target | None = None
    negate: bool = False
    visible: bool | None = None
    hidden: bool | None = None
    text: str | None = None
    contains_text: str | None = None
    value: str | None = None
    count: int | None = Field(default=None, ge=0)
    checked: bool | None = None
    enabled: bool | None = None
    disabled: bool | None = None
    url: str | None = None
    title: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _turn_false_checks_round(cls, values: Any) -> Any:
        false = [flag for flag in FLAG_CHECKS if isinstance(values, dict) and values.get(flag) is False]
        if not false:
            return values
        return values | dict.fromkeys(false, True) | {"negate": not values.get("negate", False)}


FLAG_CHECKS = ("visible", "hidden", "checked", "enabled", "disabled")
ELEMENT_CHECKS = ("visible", "hidden", "text", "contains_text", "value", "count", "checked", "enabled", "disabled")
PAGE_CHECKS = ("url", "title")

ACTIONS: dict[str, type[Args]] = {
    "goto": Goto,
    "click": Click,
    "dblclick": Click,
    "hover": OnTarget,
    "fill": Fill,
    "type": Fill,
    "press": Press,
    "check": OnTarget,
    "uncheck": OnTarget,
    "select": Select,
    "upload": Upload,
    "wait_for": WaitFor,
    "screenshot": Screenshot,
    "set_viewport": SetViewport,
    "expect": Expect,
}


class Step(Frozen):
    """One action or assertion.

    `line` is where it stands in its file, for messages; it is no part of equality and is not stored.
    """

    action: str
    args: SerializeAsAny[Args]
    id: str | None = None
    name: str | None = None
    timeout_ms: int | None = Field(default=None, ge=1)
    optional: bool = False
    soft: bool = False
    always_run: bool = False
    screenshot: bool = False
    heal: Literal["off", "suggest", "auto"] | None = None
    line: int | None = Field(default=None, exclude=True)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Step) and self._content() == other._content()

    def __hash__(self) -> int:
        return hash(self._content())

    def _content(self) -> tuple[Any, ...]:
        return tuple(getattr(self, name) for name in Step.model_fields if name != "line")


class Use(Frozen):
    """How the browser context is made."""

    browser: Literal["chromium"] = "chromium"
    device: str | None = None
    viewport: Viewport = Viewport()
    test_id_attribute: str = "data-testid"


class Case(Frozen):
    """A test as written. `key` (its `id`, else its name) names it across machines and versions.

    `vars` are the values of `${var.X}`; they may hold `${env.X}`, never a secret or another variable.
    """

    version: Literal[1] = FORMAT_VERSION
    id: str | None = None
    name: str = Field(min_length=1, max_length=200)
    base_url: WebUrl | None = None
    tags: tuple[str, ...] = ()
    retries: int = Field(default=0, ge=0, le=10)
    timeout_ms: int = Field(default=RUN_TIMEOUT_MS, ge=1)
    trace: TraceMode = TraceMode.ON_FAILURE
    use: Use = Use()
    heal: Literal["off", "suggest", "auto"] = "auto"
    vars: dict[str, str] = Field(default_factory=dict)
    steps: tuple[Step, ...] = Field(min_length=1)

    @property
    def key(self) -> str:
        """What names this case across files and versions."""
        return self.id or self.name
