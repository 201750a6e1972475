"""The parts of cases, suites and flows: version, title, pytest tests, flows, shared keys, rows and baselines."""

from base64 import b64decode
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field

import qa_queue.cases.actions  # noqa: F401 - completes Step
from qa_queue.cases.environment import Use
from qa_queue.cases.logins import LOGIN_NAMES_SCHEMA, MAX_LOGINS, Login, LoginName
from qa_queue.cases.steps import Step
from qa_queue.cases.urls import WebUrl
from qa_queue.cases.vocabulary import JSON, NAMES_SCHEMA, Json, Many, Name, Vocabulary, Words
from qa_queue.errors.validation import kind_text

FORMAT_VERSION: Literal[1] = 1
MAX_STEPS = 5_000
MAX_ROWS = 1_000

Title = Annotated[str, Field(min_length=1, max_length=200)]


def _version(value: Any) -> Any:
    if value == FORMAT_VERSION and not isinstance(value, bool):
        return value
    raise ValueError(f"{kind_text(value)} is not a version that this release reads: it reads {FORMAT_VERSION}")


LockName = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$")]
BaseUrl = Annotated[WebUrl, Field(min_length=1)]
Version = Annotated[Literal[1], BeforeValidator(_version)]


class PytestTests(Vocabulary):
    """Tests of a pytest suite, which a worker runs in a process of the suite's own environment."""

    mapping_only: ClassVar[str | None] = "a mapping such as {root: ., tests: [tests/test_login.py]}"
    root: Words = Field(description="Folder in which pytest is started, relative to the case's file.")
    tests: Annotated[Many[Words], Field(min_length=1)] = Field(description="Node ids, run in this order.")
    python: Words | None = Field(None, description="Interpreter of the suite's environment; the worker's own.")
    arguments: Many[str] = Field((), description="What pytest gets besides the tests.")
    bundle: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = Field(
        None, description="SHA-256 of the suite's files in the artifact store; `root` is a folder in them."
    )
    requirements: Words | None = Field(
        None, description="File in `root` to install for the suite, where the operator allows it."
    )
    env: dict[Name, str] = Field(
        default_factory=dict,
        description="Variables of the suite's environment; may contain ${env.X} and ${secret.X}.",
        json_schema_extra=NAMES_SCHEMA,
    )
    tags: dict[str, Many[Words]] = Field(
        default_factory=dict, description="Markers of each test in reports, by node id; the case's by default."
    )


class Param(Vocabulary):
    """A parameter of a flow; a value in its place is its default."""

    required: bool | None = Field(None, description="Without it the flow cannot be used; true without a default.")
    default: Json = Field(None, description="The value where `with` gives none.")
    secret: bool = Field(False, description="It may be a secret; it can then only be filled into fields.")

    @classmethod
    def long_form(cls, value: Any) -> Any:
        """Return the mapping; any other value is the default."""
        return value if isinstance(value, dict) else {"default": value}

    @property
    def needed(self) -> bool:
        """True where `with` has to give a value."""
        return self.default is None if self.required is None else self.required


def _params(value: Any) -> Any:
    """Return a list of names as parameters without defaults, and a name without a value as one of them."""
    if isinstance(value, list) and all(isinstance(name, str) for name in value):
        return {name: {} for name in value}
    return {name: {} if one is None else one for name, one in value.items()} if isinstance(value, dict) else value


def _returned(value: Any) -> Any:
    """Return a list of variables as the mapping of their values."""
    if isinstance(value, list) and all(isinstance(name, str) for name in value):
        return {name: f"${{var.{name}}}" for name in value}
    return value


class Flow(Vocabulary):
    """Steps with a name of their own, which cases and other flows use with parameters."""

    mapping_only: ClassVar[str | None] = "a mapping with 'flow' and 'steps'"
    version: Version = Field(FORMAT_VERSION, description="Version of the format: 1.")
    flow: Title = Field(description="Name of the flow.")
    params: Annotated[dict[Name, Param], BeforeValidator(_params)] = Field(
        default_factory=dict,
        description="The parameters, `${param.NAME}` in the steps.",
        json_schema_extra=NAMES_SCHEMA,
    )
    steps: Many[Step] = Field(min_length=1, max_length=MAX_STEPS, description="The steps, in order.")
    returns: Annotated[dict[Name, Json], BeforeValidator(_returned), JSON] = Field(
        default_factory=dict,
        description="Values for `save_as` of the use, or names of variables.",
        json_schema_extra=NAMES_SCHEMA,
    )


class Shared(Vocabulary):
    """The keys that a case and a suite have in common."""

    version: Version = Field(FORMAT_VERSION, description="Version of the format: 1.")
    base_url: BaseUrl | None = Field(None, description="The URL that relative URLs are joined to.")
    tags: Many[Words] = Field((), description="Words to choose cases by.")
    use: Use = Field(Use(), description="How the browser is set up.")
    lock: LockName | None = Field(
        None, description="A resource by name, such as an account: runs with the same lock do not overlap."
    )
    logins: dict[LoginName, Login] = Field(
        default_factory=dict,
        max_length=MAX_LOGINS,
        description="Logins by name: steps, or the file of a flow; for `use.storage_state`.",
        json_schema_extra=LOGIN_NAMES_SCHEMA,
    )
    before: Many[Step] = Field((), description="Steps before those of the case.")
    after: Many[Step] = Field((), description="Steps after those of the case, each of which always runs.")


def _base64(value: Any) -> Any:
    try:
        b64decode(value, validate=True)
    except (TypeError, ValueError):
        raise ValueError(f"expected a picture in base64, got {kind_text(value)}") from None
    return value


Base64Picture = Annotated[str, BeforeValidator(_base64)]


def _data(value: Any) -> Any:
    if isinstance(value, str):
        raise ValueError(  # noqa: TRY004 - so that pydantic reports it
            f"the rows of {value!r} are read where the case is a file: give the rows themselves"
        )
    if isinstance(value, (list, tuple)) and not value:
        raise ValueError("has no rows: give at least one, or remove the key")
    return value


Rows = Annotated[Many[dict[str, Json]], Field(min_length=1, max_length=MAX_ROWS), BeforeValidator(_data)]
