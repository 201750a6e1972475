"""The setup of a case's browser: `use`, and the types of its values."""

import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from functools import cache, partial
from typing import Annotated, Any, ClassVar, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, Field, WithJsonSchema

from qa_queue.cases.hosts import HostList
from qa_queue.cases.urls import WebUrl
from qa_queue.cases.vocabulary import Many, Size, Vocabulary, Words, expected
from qa_queue.errors.validation import did_you_mean
from qa_queue.models import Viewport

DOCUMENTED_TIME = "2030-01-31T09:00 or 2030-01-31T09:00+02:00"
_LOCALE = re.compile(r"[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})*")
STATE_NAME = "[A-Za-z0-9_][A-Za-z0-9_-]{0,99}"
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
Browser = Literal["chromium", "firefox", "webkit"]
Channel = Literal[
    "chrome", "chrome-beta", "chrome-dev", "chrome-canary", "msedge", "msedge-beta", "msedge-dev", "msedge-canary",
]  # fmt: skip
Permission = Literal[
    "accelerometer", "ambient-light-sensor", "background-sync", "camera", "clipboard-read", "clipboard-write",
    "geolocation", "gyroscope", "local-fonts", "magnetometer", "microphone", "midi", "midi-sysex", "notifications",
    "payment-handler", "storage-access",
]  # fmt: skip


def unless_reference(check: Callable[[str], str]) -> AfterValidator:
    """Return a validator of texts; one with `${...}` is checked when its value is known."""

    def checked(text: str) -> str:
        return text if "${" in text else check(text)

    return AfterValidator(checked)


def parse_time(text: str, zone: str | None = None) -> datetime:
    """Return the moment of an ISO date or time; one without an offset is in this time zone, else in UTC.

    Raises:
        ValueError: it is not one.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a time: write {DOCUMENTED_TIME}") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(zone) if zone else UTC)


def _time(text: str) -> str:
    parse_time(text)
    return text


def _locale(text: str) -> str:
    if not _LOCALE.fullmatch(text):
        raise ValueError(f"{text!r} is not a locale: write a language and a region, such as de-DE")
    return text


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


def time_zone(text: str) -> str:
    """Return the name of a time zone.

    Raises:
        ValueError: the name is unknown.
    """
    if text not in _zones():
        near = did_you_mean(text, _zones()) or ": write one such as Europe/Berlin"
        raise ValueError(f"{text!r} is not a time zone{near}")
    return text


def _header_name(text: str) -> str:
    if not _HEADER.fullmatch(text):
        raise ValueError(f"{text!r} is not the name of a header")
    return text


def _header_value(text: str) -> str:
    if re.search(r"[\x00-\x08\x0a-\x1f\x7f]", text):
        raise ValueError("the value of a header is one line without control characters")
    return text


def _state_name(text: str) -> str:
    if not re.fullmatch(STATE_NAME, text):
        raise ValueError(f"{text!r} is not the name of a login under 'logins': letters, digits, _ and -")
    return text


def _host(text: str) -> str:
    HostList.of([text], networks=True)
    return text


def _address(schemes: tuple[str, ...], text: str) -> str:
    try:
        parts = urlsplit(text)
        usable = parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise ValueError(f"{text!r} is not the address of a browser: write {schemes[0]}://HOST:PORT")
    return text


StateName = Annotated[
    str,
    unless_reference(_state_name),
    WithJsonSchema({"type": "string", "pattern": rf"^({STATE_NAME}|.*\$\{{.*)$"}),
]
SocketUrl = Annotated[str, unless_reference(partial(_address, ("ws", "wss")))]
DevtoolsUrl = Annotated[str, unless_reference(partial(_address, ("http", "https", "ws", "wss")))]
HostEntry = Annotated[str, unless_reference(_host)]
Time = Annotated[str, unless_reference(_time)]
Locale = Annotated[str, unless_reference(_locale)]
TimeZone = Annotated[str, unless_reference(time_zone)]
HeaderName = Annotated[str, AfterValidator(_header_name)]
HeaderValue = Annotated[str, AfterValidator(_header_value)]
HeaderValues = dict[HeaderName, HeaderValue]
Latitude = Annotated[float, Field(ge=-90, le=90)]
Longitude = Annotated[float, Field(ge=-180, le=180)]
Accuracy = Annotated[float, Field(ge=0, le=100_000)]


class Geolocation(Vocabulary):
    """A place on Earth."""

    mapping_only: ClassVar[str | None] = "a place such as {latitude: 52.5, longitude: 13.4}"
    latitude: Latitude = Field(description="Latitude in degrees.")
    longitude: Longitude = Field(description="Longitude in degrees.")
    accuracy: Accuracy = Field(0, description="Accuracy in m.")


class HttpCredentials(Vocabulary):
    """The login of HTTP authentication, which one site alone receives."""

    mapping_only: ClassVar[str | None] = "a mapping such as {username: ann, password: ...}"
    username: Words = Field(description="The user's name.")
    password: str = Field(description="The password, such as ${secret.SITE_PASSWORD}.")
    origin: WebUrl | None = Field(None, description="The site; otherwise that of the base URL.")


Profile = Literal["slow-3g", "fast-3g", "4g"]
Rate = Annotated[int, Field(ge=1, le=10_000_000)]
MAX_LATENCY_MS = 60_000


class Throttle(Vocabulary):
    """A slow network, which all requests of the case share."""

    short: ClassVar[str | None] = "profile"
    profile: Profile | None = Field(None, description="A profile: slow-3g, fast-3g or 4g, as in Chrome's DevTools.")
    download: Rate | None = Field(None, description="What is received, in kbit/s.")
    upload: Rate | None = Field(None, description="What is sent, in kbit/s.")
    latency: Annotated[int, Field(ge=0, le=MAX_LATENCY_MS)] = Field(0, description="Of each response, in ms.")

    def disagreements(self) -> Iterable[str]:
        """Yield what is wrong with the given keys together."""
        yield from super().disagreements()
        if self.profile is not None and len(self.model_fields_set) > 1:
            yield "'profile' stands alone: leave out download, upload and latency"


PROFILES = {
    "slow-3g": Throttle(download=400, upload=400, latency=2000),
    "fast-3g": Throttle(download=1440, upload=675, latency=563),
    "4g": Throttle(download=8100, upload=1350, latency=165),
}


class Network(Vocabulary):
    """The network of a case: the hosts that its pages and requests may reach, its speed, and their trace."""

    short: ClassVar[str | None] = "allow"
    allow: Many[HostEntry] = Field((), description="Only these hosts: HOST, HOST:PORT, *.DOMAIN, 10.0.0.0/8.")
    deny: Many[HostEntry] = Field((), description="Not these hosts, even if `allow` has them.")
    throttle: Throttle | None = Field(
        None, description="A slow network: slow-3g, fast-3g, 4g, or {download, upload, latency} in kbit/s and ms."
    )
    trace: bool = Field(
        False,
        description="Send a `traceparent` header with requests to the host of `base_url` and those below it.",
    )


class Connect(Vocabulary):
    """The address of a browser that runs elsewhere."""

    one_of: ClassVar[tuple[str, ...]] = ("websocket", "cdp")
    websocket: SocketUrl | None = Field(None, description="ws:// or wss:// URL of a Playwright server.")
    cdp: DevtoolsUrl | None = Field(None, description="http:// or ws:// URL of a Chromium's DevTools.")

    @classmethod
    def long_form(cls, value: Any) -> Any:
        """Return an address as the mapping of its protocol."""
        if isinstance(value, dict):
            return value
        if not isinstance(value, str):
            raise expected("an address such as ws://browsers:3000/", value)
        by_devtools = value.startswith("http") or "/devtools/" in value
        return {"cdp" if by_devtools else "websocket": value}

    @property
    def address(self) -> str:
        """The URL."""
        return self.websocket or self.cdp or ""


class Use(Vocabulary):
    """The setup of the browser context."""

    mapping_only: ClassVar[str | None] = "a mapping such as {viewport: 1280x720}"
    nullable: ClassVar[tuple[str, ...]] = ("device", "storage_state")
    browser: Browser = Field("chromium", description="The browser: chromium, firefox or webkit.")
    channel: Channel | None = Field(
        None, description="An installed Chrome or Edge in place of Chromium, such as chrome or msedge-beta."
    )
    connect: Connect | None = Field(
        None,
        description="A browser that runs elsewhere: {websocket: URL} or {cdp: URL}, on a host of QA_CONNECT_HOSTS.",
    )
    device: Words | None = Field(None, description="A device that Playwright knows, such as iPhone 15.")
    viewport: Size = Field(Viewport(), description="Size of the page: 1280x720.")
    storage_state: StateName | None = Field(
        None, description="The login under `logins` whose cookies and storage the browser has, or a saved state."
    )
    test_id_attribute: Words = Field("data-testid", description="The attribute that `test_id` looks at.")
    locale: Locale | None = Field(None, description="Language and region, such as de-DE.")
    time_zone: TimeZone | None = Field(None, description="Time zone, such as Europe/Berlin.")
    clock: Time | None = Field(None, description=f"The time at which the run begins: {DOCUMENTED_TIME}.")
    geolocation: Geolocation | None = Field(None, description="The place: {latitude: 52.5, longitude: 13.4}.")
    permissions: Many[Permission] = Field((), description="Permissions that every site has, such as geolocation.")
    color_scheme: Literal["light", "dark", "no-preference"] | None = Field(None, description="The colour scheme.")
    reduced_motion: Literal["reduce", "no-preference"] | None = Field(None, description="Less animation, or not.")
    forced_colors: Literal["active", "none"] | None = Field(None, description="Forced colours, or not.")
    contrast: Literal["more", "no-preference"] | None = Field(None, description="More contrast, or not.")
    network: Network | None = Field(
        None,
        description="The only hosts to reach: a list, or {allow: [...], deny: [...], throttle: 4g, trace: true}.",
    )
    offline: bool = Field(False, description="Begin without the network.")
    headers: HeaderValues = Field(default_factory=dict, description="Headers that every request has.")
    user_agent: Words | None = Field(None, description="The User-Agent header.")
    http_credentials: HttpCredentials | None = Field(None, description="The login of HTTP authentication.")
    ignore_https_errors: bool = Field(False, description="Accept certificates that are not trusted.")
    java_script_enabled: bool = Field(True, description="False for pages without scripts.")
    has_touch: bool | None = Field(None, description="A touch screen, as `tap` needs; a device may have one.")

    def disagreements(self) -> Iterable[str]:
        """Yield what is wrong with the given keys together."""
        yield from super().disagreements()
        if self.channel is not None and self.browser != "chromium":
            yield f"'channel' goes with chromium, not with {self.browser}"
        if self.channel is not None and self.connect is not None:
            yield "'channel' and 'connect' exclude each other"
