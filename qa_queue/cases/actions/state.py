"""Actions on the browser's state: cookies, storage, headers, permissions, place, clock and network."""

from typing import Annotated, Any, ClassVar, Literal, get_args

from pydantic import BeforeValidator, Field

from qa_queue.cases.environment import (
    DOCUMENTED_TIME,
    Accuracy,
    HeaderValues,
    Latitude,
    Longitude,
    Permission,
    StateName,
    Time,
)
from qa_queue.cases.steps import Action
from qa_queue.cases.urls import WebUrl
from qa_queue.cases.vocabulary import Duration, Many, OneOrMoreWords, Span, Vocabulary, Words, expected

CLEAR = "clear"
SAVED_EXPIRES_MS = 24 * 3_600_000
_CLEAR_SCHEMA: dict[str, Any] = {"const": CLEAR}
Clear = Literal[True]


class Cookie(Vocabulary):
    """A cookie; without `url` and `domain` one of the page that is open, or of the base URL."""

    mapping_only: ClassVar[str | None] = "a cookie such as {name: theme, value: dark}"
    at_most_one: ClassVar[tuple[tuple[str, ...], ...]] = (("url", "domain"), ("url", "path"))
    name: Words = Field(description="Its name.")
    value: str = Field(description="Its value.")
    url: WebUrl | None = Field(None, description="A URL of the site.")
    domain: Words | None = Field(None, description="The domain; with a dot before it, for subdomains too.")
    path: Words | None = Field(None, description="The path; / by default.")
    expires_ms: Duration | None = Field(
        None,
        validation_alias="expires_in",
        serialization_alias="expires_in",
        description="How long it is kept; otherwise until the browser closes.",
    )
    http_only: bool = Field(False, description="Not for scripts.")
    secure: bool = Field(False, description="For https only.")
    same_site: Literal["Strict", "Lax", "None"] | None = Field(None, description="SameSite.")


def _cookies(value: Any) -> Any:
    """Return `{NAME: VALUE}` as a list of cookies."""
    if isinstance(value, dict):
        return [{"name": name, "value": text} for name, text in value.items()]
    return value


CookieList = Annotated[
    tuple[Cookie, ...],
    BeforeValidator(_cookies, json_schema_input_type=dict[str, str] | tuple[Cookie, ...]),
    Field(strict=False, min_length=1),
]


class Cookies(Action, keyword="cookies", verb="cookies:"):
    """Set or delete cookies, or delete all of them: `cookies: clear`."""

    one_of: ClassVar[tuple[str, ...]] = ("set", "delete", CLEAR)
    short_schema: ClassVar[dict[str, Any]] = _CLEAR_SCHEMA
    secret_fields: ClassVar[tuple[str, ...]] = ()  # cookies go to every port of a host
    added: CookieList | None = Field(
        None,
        validation_alias="set",
        serialization_alias="set",
        description="Cookies by name, as {theme: dark}, or a list with more keys.",
    )
    delete: OneOrMoreWords | None = Field(None, description="Names of cookies to delete.")
    clear: Clear | None = Field(None, description="Delete every cookie.")

    @classmethod
    def long_form(cls, value: Any) -> Any:
        """Return `clear` as its mapping."""
        return _cleared(value, "{set: {theme: dark}}")

    def sentence(self) -> str:
        """Return the action in words, without values."""
        if self.added is not None:
            return f"set cookies {', '.join(cookie.name for cookie in self.added)}"
        return f"delete cookies {', '.join(self.delete)}" if self.delete else "delete all cookies"


class WebStorage(Action):
    """Items of the storage of the page's site."""

    one_of: ClassVar[tuple[str, ...]] = ("set", "remove", CLEAR)
    short_schema: ClassVar[dict[str, Any]] = _CLEAR_SCHEMA
    secret_fields: ClassVar[tuple[str, ...]] = ()
    added: dict[str, str] | None = Field(
        None, validation_alias="set", serialization_alias="set", description="Items by key, as {theme: dark}."
    )
    remove: OneOrMoreWords | None = Field(None, description="Keys of items to remove.")
    clear: Clear | None = Field(None, description="Remove every item.")

    @classmethod
    def long_form(cls, value: Any) -> Any:
        """Return `clear` as its mapping."""
        return _cleared(value, "{set: {theme: dark}}")

    def sentence(self) -> str:
        """Return the action in words, without values."""
        if self.added is not None:
            return f"{self.verb} set {', '.join(self.added)}"
        return f"{self.verb} remove {', '.join(self.remove)}" if self.remove else f"{self.verb} clear"


class LocalStorage(WebStorage, keyword="local_storage", verb="local storage:"):
    """Set or remove items of the local storage of the page's site, or all of them: `local_storage: clear`."""


class SessionStorage(WebStorage, keyword="session_storage", verb="session storage:"):
    """Set or remove items of the session storage of the page, or all of them: `session_storage: clear`."""


class Headers(Action, keyword="headers", verb="send headers"):
    """Send these headers with every request from now on, in place of earlier ones; `headers: {}` sends none."""

    spread: ClassVar[str | None] = "headers"
    secret_fields: ClassVar[tuple[str, ...]] = ()  # they go to every host
    headers: HeaderValues = Field(description="The headers by name.")

    def sentence(self) -> str:
        """Return the action in words, without values."""
        return f"{self.verb} {', '.join(self.headers) or 'none'}"


class Permissions(Action, keyword="permissions", verb="grant permissions"):
    """Grant permissions: `permissions: [geolocation]`; `permissions: clear` takes all of them back."""

    one_of: ClassVar[tuple[str, ...]] = ("grant", CLEAR)
    needs: ClassVar[dict[str, str]] = {"origin": "grant"}
    short_schema: ClassVar[dict[str, Any]] = {
        "anyOf": [_CLEAR_SCHEMA, {"type": "array", "items": {"enum": list(get_args(Permission))}}]
    }
    grant: Annotated[Many[Permission], Field(min_length=1)] | None = Field(None, description="The permissions.")
    origin: WebUrl | None = Field(None, description="The site that gets them; otherwise every site.")
    clear: Clear | None = Field(None, description="Take back every permission.")

    @classmethod
    def long_form(cls, value: Any) -> Any:
        """Return a list, or `clear`, as its mapping."""
        return {"grant": value} if isinstance(value, list) else _cleared(value, "[geolocation]")

    def sentence(self) -> str:
        """Return the action in words."""
        return f"{self.verb} {', '.join(self.grant)}" if self.grant else "take back all permissions"


class SetGeolocation(Action, keyword="geolocation", verb="set the geolocation"):
    """Set the place that the browser reports; pages need the permission `geolocation`."""

    latitude: Latitude = Field(description="Latitude in degrees.")
    longitude: Longitude = Field(description="Longitude in degrees.")
    accuracy: Accuracy = Field(0, description="Accuracy in m.")

    def sentence(self) -> str:
        """Return the action in words."""
        return f"{self.verb} to {self.latitude}, {self.longitude}"


class Clock(Action, keyword="clock", verb="clock:"):
    """Control the time of the pages: install a clock, then move it; `clock: resume` lets it run on.

    A time without an offset is one of `use.time_zone`, else of UTC.
    """

    one_of: ClassVar[tuple[str, ...]] = (
        "install", "set_fixed_time", "set_system_time", "pause_at", "fast_forward", "run_for", "resume",
    )  # fmt: skip
    short_schema: ClassVar[dict[str, Any]] = {"const": "resume"}
    install: Time | None = Field(None, description=f"Run the clock from this time on: {DOCUMENTED_TIME}.")
    set_fixed_time: Time | None = Field(None, description="Stop the date at this time; timers run.")
    set_system_time: Time | None = Field(None, description="Set the date, without running timers.")
    pause_at: Time | None = Field(
        None, description="Move forward to this time and stop; timers in between run once."
    )
    fast_forward: Span | None = Field(None, description="Move forward by 30s, 5m or 2d; due timers run once.")
    run_for: Span | None = Field(
        None, description="Move forward by this, running every timer as often as it is due."
    )
    resume: Clear | None = Field(None, description="Let the clock run on.")

    @classmethod
    def long_form(cls, value: Any) -> Any:
        """Return `resume` as its mapping."""
        if value == "resume":
            return {"resume": True}
        if not isinstance(value, dict):
            raise expected("resume or a mapping such as {fast_forward: 30s}", value)
        return value

    def sentence(self) -> str:
        """Return the action in words."""
        (name,) = (name for name in self.one_of if getattr(self, name) is not None)
        value = getattr(self, name)
        return f"{self.verb} {name}" + (
            "" if value is True else f" {value}{' ms' if isinstance(value, int) else ''}"
        )


class Offline(Action, keyword="offline", verb="go offline"):
    """Cut every page off from the network, or with `offline: false` connect it again."""

    short: ClassVar[str | None] = "value"
    short_schema: ClassVar[dict[str, Any]] = {"type": "boolean"}
    value: bool = Field(description="True for offline.")

    def sentence(self) -> str:
        """Return the action in words."""
        return self.verb if self.value else "go online"


class SaveState(Action, keyword="save_state", verb="save the browser's state as"):
    """Save the browser's cookies and storage, encrypted, for `use.storage_state: NAME` of later runs at this site.

    A login of this name in the case gets the state in place of its own.
    """

    short: ClassVar[str | None] = "name"
    secret_fields: ClassVar[tuple[str, ...]] = ()
    name: StateName = Field(description="The name: letters, digits, _ and -.")
    expires_ms: Span | None = Field(
        None,
        validation_alias="expires",
        serialization_alias="expires",
        description="How long it is used: as the login of this name says, or else for 24h.",
    )

    def sentence(self) -> str:
        """Return the action in words."""
        return f"{self.verb} {self.name}"


def _cleared(value: Any, example: str) -> Any:
    if value == CLEAR:
        return {CLEAR: True}
    if not isinstance(value, dict):
        raise expected(f"{CLEAR} or a value such as {example}", value)
    return value
