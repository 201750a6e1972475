"""Actions on the network."""

import re
from collections.abc import Collection
from typing import Annotated, ClassVar

from pydantic import AfterValidator, Field

from qa_queue.cases.json_path import check_path
from qa_queue.cases.steps import Action, SaveAsUse
from qa_queue.cases.traffic import Statuses
from qa_queue.cases.urls import WebUrl
from qa_queue.cases.vocabulary import JSON, Count, Json, Name, Vocabulary, Words

METHODS = ("get", "post", "put", "patch", "delete", "head")


def _part(text: str) -> str:
    if text in ("status", "text") or re.fullmatch(r"headers\.\S+", text):
        return text
    if not text.startswith("$"):
        raise ValueError(
            f"{text!r} does not name a part of a response: write $.json.path, headers.NAME, status or text"
        )
    return check_path(text)


ResponsePart = Annotated[str, AfterValidator(_part)]
Url = Annotated[WebUrl, Field(min_length=1)]


class Credentials(Vocabulary):
    """A user and password for HTTP Basic authentication."""

    user: Words = Field(description="The user.")
    password: str = Field(description="The password.")


class Request(Action, keyword="request"):
    """Send an HTTP request with the browser's cookies, whose changes the browser sees too.

    `save_as` names a variable for its `status`, `headers`, `text` and `json`.
    """

    short: ClassVar[str | None] = "get"
    one_of: ClassVar[tuple[str, ...]] = METHODS
    at_most_one: ClassVar[tuple[tuple[str, ...], ...]] = (
        ("json", "body", "form", "multipart"),
        ("json", "body", "form", "files"),
    )
    secret_fields: ClassVar[Collection[str] | None] = (
        "json", "body", "form", "multipart", "headers", "auth", "expect",
    )  # fmt: skip

    get: Url | None = Field(None, description="The URL of a GET request, joined to the base URL.")
    post: Url | None = Field(None, description="The URL of a POST request.")
    put: Url | None = Field(None, description="The URL of a PUT request.")
    patch: Url | None = Field(None, description="The URL of a PATCH request.")
    delete: Url | None = Field(None, description="The URL of a DELETE request.")
    head: Url | None = Field(None, description="The URL of a HEAD request.")
    params: dict[str, str | int | float | bool] = Field(
        default_factory=dict, description="Parameters of the query, added to those of the URL."
    )
    headers: dict[str, str] = Field(default_factory=dict, description="Headers, beside the browser's own.")
    auth: Credentials | None = Field(None, description="`{user, password}` for HTTP Basic authentication.")
    json_body: Json = Field(
        None, validation_alias="json", serialization_alias="json", description="The body, sent as JSON."
    )
    body: str | None = Field(None, description="The body as text; set its type under `headers`.")
    form: dict[str, str | int | float | bool] = Field(
        default_factory=dict, description="Fields of a form, sent URL-encoded."
    )
    multipart: dict[str, str | int | float | bool] = Field(
        default_factory=dict, description="Fields of a form, sent as multipart/form-data."
    )
    files: dict[str, Words] = Field(
        default_factory=dict,
        description="Files of a form by field, sent as multipart/form-data; paths are relative to the case file.",
    )
    redirects: Count = Field(
        20, description="How many redirects are followed; with 0 the redirect is the response."
    )
    status: Statuses = Field(
        ("2xx",), description="The expected status: a code, a class, or a list. Default: `2xx`."
    )
    expect: Annotated[dict[ResponsePart, Json], JSON] = Field(
        default_factory=dict,
        description="Expected values by part of the response: `$.json.path`, `headers.NAME`, `status`, `text`.",
    )
    save: dict[Name, ResponsePart] = Field(
        default_factory=dict, description="Parts of the response to be saved, by the name of the variable."
    )

    @property
    def save_as_use(self) -> SaveAsUse:
        """Optional: `status`, `headers`, `text` and `json` of the response."""
        return "optional"

    @property
    def assigned(self) -> Collection[str]:
        """The names of the variables that get parts of the response."""
        return tuple(self.save)

    @property
    def method(self) -> str:
        """The HTTP method."""
        return next(name for name in METHODS if getattr(self, name) is not None).upper()

    @property
    def url(self) -> str:
        """The URL as written."""
        return str(getattr(self, self.method.lower()))

    def sentence(self) -> str:
        """Return the action in words, as `request POST /api/items`."""
        return f"{self.verb} {self.method} {self.url}"
