"""Actions on the page as a whole, and waiting."""

from collections.abc import Collection, Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from qa_queue.cases.actions.control import INSIDE, Steps
from qa_queue.cases.steps import Action, Block, SaveAsUse
from qa_queue.cases.targets import Target, Targets
from qa_queue.cases.traffic import RequestPattern, ResponsePattern, UrlPattern
from qa_queue.cases.vocabulary import (
    MAX_COUNT,
    SIZE_SCHEMA,
    Count,
    Duration,
    Side,
    Vocabulary,
    Words,
    duration_text,
    parse_size,
)

PAGE_OR_ELEMENT = "The element; without it, the page."


class WaitFor(Action, keyword="wait_for", verb="wait for"):
    """Wait for an element, a URL, a request or response of a page, a load state, a function, or a time.

    A response or request counts if it came since the step before this one began: the step that causes it. With
    `steps` it is one that these steps cause.
    """

    short: ClassVar[str | None] = "target"
    elsewhere: ClassVar[Mapping[str, str]] = {"steps": "wait_for_traffic"}
    actionability: ClassVar[tuple[str, ...]] = ("visible",)
    one_of: ClassVar[tuple[str, ...]] = ("target", "url", "response", "request", "load_state", "function", "time")
    needs: ClassVar[dict[str, str]] = {"state": "target", "count": "target"}
    target: Target | None = Field(None, description="The element to wait for.")
    state: Literal["visible", "hidden", "attached", "detached"] = Field("visible", description="Its state.")
    count: Count | None = Field(None, description="The number of elements that match.")
    url: UrlPattern | None = Field(
        None, description="Wait until the URL matches this glob, relative to the base URL, or `{matches: REGEX}`."
    )
    response: ResponsePattern | None = Field(
        None, description="Wait for a response: a glob of its URL, or a mapping with `url`, `method` and `status`."
    )
    request: RequestPattern | None = Field(
        None, description="Wait for a request: a glob of its URL, or a mapping with `url` and `method`."
    )
    load_state: Literal["load", "domcontentloaded", "networkidle"] | None = Field(
        None, description="Wait until the page has loaded this far."
    )
    function: Words | None = Field(
        None,
        description="Wait until this JavaScript is true, such as `window.ready === true`, where the operator "
        "allows scripts (`QA_EVALUATE`).",
    )
    time_ms: Duration | None = Field(
        None,
        validation_alias="time",
        serialization_alias="time",
        description="Wait this long, as 500ms; waiting for what the user sees is faster and more reliable.",
    )

    @property
    def requires_presence(self) -> bool:
        """True where it waits for one element to be there."""
        return self.count is None and self.state in ("visible", "attached")

    @property
    def records_traffic(self) -> bool:
        """True where it waits for traffic, or reports the requests that keep a page from being idle."""
        return bool(self.response or self.request) or self.load_state == "networkidle"

    @property
    def runs_script(self) -> bool:
        """True where it waits for a function."""
        return self.function is not None

    @property
    def pause_ms(self) -> int:
        """The time that it waits."""
        return self.time_ms or 0

    def sentence(self) -> str:
        """Return the action in words."""
        things = []
        if self.target is not None:
            state = f"{self.count} of them" if self.count is not None else self.state
            things.append(f"{self.target} ({state})")
        for name in ("url", "response", "request", "load_state"):
            if (value := getattr(self, name)) is not None:
                things.append(f"{'URL' if name == 'url' else name.replace('_', ' ')} {value}")
        if self.function is not None:
            things.append(f"the script {self.function}")
        if self.time_ms is not None:
            things.append(duration_text(self.time_ms))
        return f"wait for {', '.join(things)}"


class WaitForTraffic(Block, keyword="wait_for_traffic", verb="wait for"):
    """Wait for a response or request of a page that the steps inside cause; written as `wait_for` with `steps`.

    `save_as` names a variable for its `method`, `url`, `status`, `text` and `json`.
    """

    written: ClassVar[str] = "wait_for"
    unused_fields: ClassVar[Collection[str]] = ("navigates", "heal")
    one_of: ClassVar[tuple[str, ...]] = ("response", "request")
    response: ResponsePattern | None = Field(
        None, description="The response: a glob of its URL, or a mapping with `url`, `method` and `status`."
    )
    request: RequestPattern | None = Field(
        None, description="The request: a glob of its URL, or a mapping with `url` and `method`."
    )
    steps: Steps = Field(description=INSIDE)

    @property
    def kind(self) -> Literal["request", "response"]:
        """The half of the exchange that is awaited."""
        return "response" if self.request is None else "request"

    @property
    def pattern(self) -> RequestPattern:
        """The awaited request or response."""
        found = self.response or self.request
        assert found is not None
        return found

    @property
    def records_traffic(self) -> bool:
        """True: it compares what pages send and receive."""
        return True

    @property
    def save_as_use(self) -> SaveAsUse:
        """Optional: most only wait."""
        return "optional"

    def sentence(self) -> str:
        """Return the action in words."""
        return f"{self.verb} {self.kind} {self.pattern}"


class Clip(Vocabulary):
    """A rectangle of the page, in CSS px."""

    mapping_only: ClassVar[str | None] = "a rectangle such as {x: 0, y: 0, width: 300, height: 200}"
    x: Annotated[float, Field(ge=0, le=MAX_COUNT)] = Field(description="Distance from the left.")
    y: Annotated[float, Field(ge=0, le=MAX_COUNT)] = Field(description="Distance from the top.")
    width: Side = Field(description="Width in CSS px.")
    height: Side = Field(description="Height in CSS px.")


class Screenshot(Action, keyword="screenshot", verb="take a screenshot"):
    """Take a picture of the page or of one element."""

    short: ClassVar[str | None] = "name"
    bare: ClassVar[bool] = True
    actionability: ClassVar[tuple[str, ...]] = ("visible",)
    at_most_one: ClassVar[tuple[tuple[str, ...], ...]] = (("target", "full_page"), ("target", "clip"))
    name: Words | None = Field(None, description="Name of the picture's file.")
    target: Target | None = Field(None, description=PAGE_OR_ELEMENT)
    full_page: bool = Field(False, description="The whole page, not only the part in view.")
    clip: Clip | None = Field(
        None, description="Only this part of the page: {x: 0, y: 0, width: 300, height: 200}."
    )
    mask: Targets = Field((), description="Elements to black out.")

    def sentence(self) -> str:
        """Return the action in words."""
        return f"take a screenshot of {self.target}" if self.target else self.verb


class SetViewport(Action, keyword="set_viewport", verb="set the viewport"):
    """Change the size of the page: 1280x720, in CSS px."""

    short_schema: ClassVar[dict[str, Any]] = SIZE_SCHEMA
    width: Side = Field(description="Width in CSS px.")
    height: Side = Field(description="Height in CSS px.")

    @classmethod
    def long_form(cls, value: Any) -> Any:
        """Return `1280x720` as the mapping of its sides."""
        return parse_size(value)
