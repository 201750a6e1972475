"""Steps and the base of their actions. Each action is one class under `actions/`, registered by its keyword."""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import ConfigDict, Field, GetCoreSchemaHandler, SerializeAsAny
from pydantic_core import CoreSchema, core_schema

from qa_queue.cases.targets import Target, with_target
from qa_queue.cases.vocabulary import Duration, Vocabulary, Words, all_keys, expected, refuse
from qa_queue.errors.validation import did_you_mean

ACTION_FIELD, LINE_FIELD = "(action)", "(line)"  # no document has such keys
ACTIONS: dict[str, type[Action]] = {}
"""Every action by its keyword, in the order of their declaration."""
HealMode = Literal["off", "suggest", "auto"]


class Action(Vocabulary):
    """The action of a step: one subclass for each action of the format, `class Goto(Action, keyword="goto")`.

    `verb` begins the sentence in reports. `actionability` is what the element has to be before it is acted on:
    visible, enabled, editable, hit (not covered). `bare` actions may be written as `reload: true`. Only
    `secret_fields` (None: all) may contain secrets, which elsewhere stay readable or reach the page unchecked.
    """

    keyword: ClassVar[str] = ""
    verb: ClassVar[str] = ""
    actionability: ClassVar[tuple[str, ...]] = ("visible", "enabled", "hit")
    bare: ClassVar[bool] = False
    secret_fields: ClassVar[Collection[str] | None] = ("target",)

    def __init_subclass__(cls, keyword: str = "", verb: str = "") -> None:
        if keyword:
            cls.keyword, cls.verb = keyword, verb or keyword.replace("_", " ")
            ACTIONS[keyword] = cls

    @classmethod
    def long_form(cls, value: Any) -> Any:
        """Return the mapping that a value stands for; keys of a target beside the others become its target."""
        if cls.bare and (value is None or value is True):
            return {}
        if cls.bare and cls.short is None and not isinstance(value, dict):
            raise expected("true", value)
        long = super().long_form(value)
        return with_target(cls, long) if isinstance(value, dict) and cls.spread is None else long

    @property
    def subject(self) -> Target | None:
        """The element that the action works on, if it names one."""
        found = getattr(self, "target", None)
        return found if isinstance(found, Target) else None

    def on(self, target: Target) -> Self:
        """Return the same action on another element."""
        return self.model_copy(update={"target": target})

    def may_contain_secrets(self, key: str) -> bool:
        """Return True for a key of the action whose text may contain secrets."""
        return self.secret_fields is None or key in self.secret_fields

    @property
    def requires_presence(self) -> bool:
        """True where exactly one element has to be there, so that another locator may stand in for its target.

        A check for absence or for a count is about the target's own words: a fallback would reverse its meaning.
        """
        return True

    @property
    def records_traffic(self) -> bool:
        """True where it needs the requests of pages from the beginning of the case."""
        return False

    @property
    def pause_ms(self) -> int:
        """The time that it takes by its own request, beside the time that the step may take, in ms."""
        return 0

    def sentence(self) -> str:
        """Return the action in words, as `click button 'Sign in'`, without the text that is typed into fields."""
        shown = self.subject or (getattr(self, self.short) if self.short else None)
        return f"{self.verb} {shown}" if shown is not None else self.verb


class OnTarget(Action):
    """An action on one element."""

    short: ClassVar[str | None] = "target"
    target: Target = Field(description="The element.")


class _OneAction:
    """The schema of a step's action: a mapping with one key, read as the class that the key names."""

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        fields = {
            key: core_schema.typed_dict_field(handler.generate_schema(action), required=False)
            for key, action in ACTIONS.items()
        }
        written = core_schema.typed_dict_schema(fields, extra_behavior="forbid")
        return core_schema.no_info_wrap_validator_function(_only_action, written)


def _only_action(value: Any, read: Any) -> Any:
    return value if isinstance(value, Action) else next(iter(read(value).values()))


class Step(Vocabulary):
    """One action or assertion, with the fields that every step may have.

    `line` is its line in the file, for messages; it does not count in comparisons and is not stored.
    """

    model_config = ConfigDict(defer_build=True)  # until every action is declared: `actions/__init__` completes it
    nullable: ClassVar[Collection[str]] = ACTIONS

    args: Annotated[SerializeAsAny[Action], _OneAction] = Field(validation_alias=ACTION_FIELD)
    id: Words | None = Field(None, description="A name for the step that stays when the order changes.")
    name: Words | None = Field(None, description="Purpose of the step, shown in reports.")
    timeout_ms: Duration | None = Field(
        None,
        validation_alias="timeout",
        serialization_alias="timeout",
        description="How long the step may take; 5s by default.",
    )
    optional: bool = Field(False, description="If it fails, it is skipped and the run goes on.")
    soft: bool = Field(False, description="If it fails, the run fails but goes on.")
    always_run: bool = Field(False, description="Run it even after a failure, to tidy up.")
    screenshot: bool = Field(False, description="Take a picture after the step.")
    navigates: bool = Field(
        False, description="It opens a page: wait for its load, and fail if no navigation begins."
    )
    heal: HealMode | None = Field(None, description="What to do when the target is not found.")
    line: int | None = Field(None, exclude=True, validation_alias=LINE_FIELD)

    @classmethod
    def long_form(cls, value: Any) -> Any:
        """Return the step with its action apart from its fields."""
        if not isinstance(value, dict):
            raise expected('a step such as {click: "#go"}', value)
        key = _action_key(value)
        fields = {name: item for name, item in value.items() if name != key}
        return {**fields, ACTION_FIELD: {key: value[key]}, LINE_FIELD: getattr(value, "line", None)}

    @property
    def action(self) -> str:
        """The key of its action."""
        return self.args.keyword

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Step) and self._content() == other._content()

    def __hash__(self) -> int:
        return hash(self._content())

    def _content(self) -> tuple[Any, ...]:
        return tuple(getattr(self, name) for name in Step.model_fields if name != "line")


def _action_key(value: dict[str, Any]) -> str:
    """Return the key of a step's action. `screenshot` beside another action is a field."""
    found = [key for key in value if key in ACTIONS]
    if len(found) > 1 and "screenshot" in found:
        found.remove("screenshot")
    if len(found) > 1:
        raise ValueError(f"{' and '.join(map(repr, found))} are two actions in one step: write a step for each")
    if found:
        return found[0]
    strangers = [key for key in value if key not in all_keys(Step)]
    if strangers:
        texts = {key: f"unknown action {key!r}{did_you_mean(str(key), ACTIONS)}" for key in strangers}
        raise refuse(texts, value)
    raise ValueError("has no action, such as goto, click or expect")
