"""Actions that answer or block the requests of pages."""

from collections.abc import Collection, Iterable
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field

from qa_queue.cases.steps import Action
from qa_queue.cases.traffic import Method, UrlPattern
from qa_queue.cases.vocabulary import Duration, Json, Many, Words

OFF = "off"
AbortReason = Literal[
    "aborted", "accessdenied", "addressunreachable", "blockedbyclient", "connectionaborted", "connectionclosed",
    "connectionfailed", "connectionrefused", "connectionreset", "failed", "internetdisconnected", "namenotresolved",
    "timedout",
]  # fmt: skip
ResourceType = Literal[
    "document", "stylesheet", "image", "media", "font", "script", "xhr", "fetch", "eventsource", "manifest", "other"
]


def _reason(value: Any) -> Any:
    return "failed" if value is True else value


def _several(value: Any) -> Any:
    return value if isinstance(value, (list, tuple)) else [value]


Reason = Annotated[AbortReason, BeforeValidator(_reason, json_schema_input_type=Literal[True] | AbortReason)]
Urls = Annotated[Many[UrlPattern], Field(min_length=1), BeforeValidator(_several)]
Resources = Annotated[Many[ResourceType], Field(min_length=1), BeforeValidator(_several)]
Off = Literal[True] | UrlPattern


class RouteAction(Action):
    """An action on the requests of pages from this step on, until a step turns it off or the case ends."""

    short: ClassVar[str | None] = "url"
    secret_fields: ClassVar[Collection[str] | None] = ()
    off: Off | None = Field(
        None, description="End the ones of this URL pattern; `true`, or `off` in place of the mapping, ends all."
    )

    @classmethod
    def long_form(cls, value: Any) -> Any:
        """Return `off` as its mapping."""
        return {OFF: True} if value == OFF or value is False else super().long_form(value)

    def sentence(self) -> str:
        """Return the action in words."""
        if self.off is not None:
            return f"{self.verb} off" if self.off is True else f"{self.verb} {self.off} off"
        return f"{self.verb} {self.subject_text}"

    @property
    def subject_text(self) -> str:
        """The requests in words, by which a step ends the action."""
        return str(getattr(self, "url", None) or "")


class Mock(RouteAction, keyword="mock"):
    """Answer the requests of pages that match, in place of their server. Of several, the latest answers."""

    one_of: ClassVar[tuple[str, ...]] = ("url", "off")
    at_most_one: ClassVar[tuple[tuple[str, ...], ...]] = (
        ("json", "body", "file", "abort", "off"),
        ("status", "abort", "off"),
    )
    answers_pages: ClassVar[bool] = True
    url: UrlPattern | None = Field(
        None, description="A glob such as `**/api/items`, relative to the base URL, or `{matches: REGEX}`."
    )
    method: Method | None = Field(None, description="Only requests with this HTTP method.")
    status: Annotated[int, Field(ge=200, le=599)] = Field(200, description="The status.")
    json_body: Json = Field(
        None, validation_alias="json", serialization_alias="json", description="The body, sent as JSON."
    )
    body: str | None = Field(None, description="The body as text.")
    file: Words | None = Field(None, description="The file with the body, relative to the case file.")
    headers: dict[str, str] = Field(default_factory=dict, description="Headers of the response.")
    abort: Reason | None = Field(
        None, description="Fail the request: `true`, or a reason such as `timedout` or `connectionrefused`."
    )
    times: Annotated[int, Field(ge=1, le=1_000_000)] | None = Field(
        None, description="How many requests are answered; without it, all."
    )
    delay_ms: Duration | None = Field(
        None, validation_alias="delay", serialization_alias="delay", description="How long the answer takes, as 2s."
    )


class BlockRequests(RouteAction, keyword="block"):
    """Fail the requests of pages that match, as an ad blocker does."""

    short: ClassVar[str | None] = "urls"
    at_most_one: ClassVar[tuple[tuple[str, ...], ...]] = (("urls", "off"), ("resources", "off"))
    urls: Urls | None = Field(None, description="Globs, or `{matches: REGEX}`.")
    resources: Resources | None = Field(None, description="Types of resources, such as image, font or script.")

    @classmethod
    def long_form(cls, value: Any) -> Any:
        """Return a list of URLs as its mapping."""
        return {"urls": value} if isinstance(value, list) else super().long_form(value)

    def disagreements(self) -> Iterable[str]:
        """Yield what is wrong with the given keys together."""
        yield from super().disagreements()
        if not self.given() & {"urls", "resources", OFF}:
            yield "gives none of urls, resources, off"

    @property
    def subject_text(self) -> str:
        """The requests in words."""
        return ", ".join([*map(str, self.urls or ()), *(self.resources or ())])


class ReplayHar(RouteAction, keyword="replay"):
    """Answer the requests of pages with the responses of a recording: a HAR file of the case's folder."""

    short: ClassVar[str | None] = "har"
    one_of: ClassVar[tuple[str, ...]] = ("har", "off")
    answers_pages: ClassVar[bool] = True
    har: Words | None = Field(None, description="The HAR file, relative to the case file.")
    url: UrlPattern | None = Field(None, description="Only requests of these URLs; without it, all.")
    not_found: Literal["abort", "fallback"] = Field(
        "abort", description="Requests that the recording does not have: fail them, or send them to their server."
    )

    @property
    def subject_text(self) -> str:
        """The recording in words."""
        return self.har or ""
