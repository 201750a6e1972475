"""Steps and the base of their actions. Each action is one class under `actions/`, registered by its keyword."""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, GetCoreSchemaHandler, SerializeAsAny
from pydantic_core import CoreSchema, core_schema

from qa_queue.cases.checks.base import Check, advice_on_check, is_check
from qa_queue.cases.conditions import Condition
from qa_queue.cases.targets import TARGET_KEYS, Target, with_target
from qa_queue.cases.vocabulary import (
    Duration,
    Name,
    Vocabulary,
    Words,
    all_keys,
    expected,
    key_of,
    refuse,
    schema_of,
)
from qa_queue.errors.validation import did_you_mean

ACTION_FIELD, LINE_FIELD = "(action)", "(line)"  # no document has such keys
ACTIONS: dict[str, "type[Action]"] = {}
"""Every action by its keyword, in the order of their declaration."""
HealMode = Literal["off", "suggest", "auto"]
SaveAsUse = Literal["none", "optional", "required"]


class Action(Vocabulary):
    """The action of a step: one subclass for each action of the format, `class Goto(Action, keyword="goto")`.

    `verb` begins the sentence in reports. `actionability` is what the element has to be before it is acted on:
    visible, enabled, editable, hit (not covered). `bare` actions may be written as `reload: true`. Only
    `secret_fields` (None: all) may contain secrets, which elsewhere stay readable or reach the page unchecked.
    With `answers_pages` the case itself is the source of what pages load.
    """

    keyword: ClassVar[str] = ""
    verb: ClassVar[str] = ""
    actionability: ClassVar[tuple[str, ...]] = ("visible", "enabled", "hit")
    bare: ClassVar[bool] = False
    fills_in: ClassVar[bool] = True
    secret_fields: ClassVar[Collection[str] | None] = ("target",)
    elsewhere: ClassVar[Mapping[str, str]] = {}  # the action that a mapping with this key stands for
    written: ClassVar[str] = ""  # the key in documents, where it is not the keyword
    beside: ClassVar[tuple[str, ...]] = ()  # keys of the step that hold the arguments, in place of one mapping
    answers_pages: ClassVar[bool] = False
    unused_fields: ClassVar[Collection[str]] = ()  # fields of the step without a meaning for the action
    holds_soft: ClassVar[bool] = False  # its mapping may have the step's `soft`

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

    @property
    def assigned(self) -> Collection[str]:
        """The names of the variables that the action gives a value, without that of the step's `save_as`."""
        return ()

    @property
    def flow_key(self) -> str | None:
        """The flow that the action stands for, if it uses one."""
        return None

    @property
    def save_as_use(self) -> SaveAsUse:
        """Tell whether the step's `save_as` may name, or has to name, a variable for the result of the action."""
        return "none"

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
    def runs_script(self) -> bool:
        """True where it runs JavaScript of the case, which the operator may refuse."""
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


_OF_ACTIONS = ("screenshot", "navigates", "heal")


class Block(Action):
    """An action around steps of its own, which the fields `bodies` hold."""

    bodies: ClassVar[tuple[str, ...]] = ("steps",)
    unused_fields: ClassVar[Collection[str]] = (*_OF_ACTIONS, "timeout")
    own_row: ClassVar[bool] = True  # in the table of steps, after those inside

    @property
    def passes(self) -> int | None:
        """The number of times that the steps run; None where it depends on the run."""
        return 1

    def steps_by_key(self) -> Iterator[tuple[str, tuple["Step", ...]]]:
        """Yield the key of each sequence of steps inside, and the sequence."""
        yield from ((key_of(type(self), name), getattr(self, name)) for name in self.bodies)


class _OneAction:
    """The schema of a step's action: a mapping with one key, read as the class that the key names."""

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, _handler: GetCoreSchemaHandler) -> CoreSchema:
        def schema(action: type[Action]) -> CoreSchema:
            if not action.elsewhere:
                return schema_of(action)
            choices = {word: schema_of(ACTIONS[word]) for word in (*action.elsewhere.values(), action.keyword)}
            return core_schema.tagged_union_schema(choices, lambda value: _word_of(action, value))

        fields = {
            _field_of(action): core_schema.typed_dict_field(schema(action), required=False)
            for action in ACTIONS.values()
        }
        written = core_schema.typed_dict_schema(fields, extra_behavior="forbid")
        return core_schema.no_info_wrap_validator_function(_only_action, written)


def _word_of(action: type[Action], value: Any) -> str:
    """Return the keyword of the action that a mapping under another action's key stands for."""
    keys = value.keys() if isinstance(value, dict) else ()
    return next((word for key, word in action.elsewhere.items() if key in keys), action.keyword)


def _field_of(action: type[Action]) -> str:
    """Return the key of an action's arguments, which no document has where they stand beside the action's key."""
    return f"({action.keyword})" if action.beside else action.keyword


def _only_action(value: Any, read: Any) -> Any:
    return value if isinstance(value, Action) else next(iter(read(value).values()))


class Step(Vocabulary):
    """One action or assertion, with the fields that every step may have.

    `line` is its line in the file, for messages; it does not count in comparisons and is not stored.
    """

    nullable: ClassVar[Collection[str]] = ACTIONS
    is_step: ClassVar[bool] = True

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
    condition: Condition | None = Field(
        None, validation_alias="if", serialization_alias="if", description="Do the step only if this holds."
    )
    screenshot: bool = Field(False, description="Take a picture after the step.")
    navigates: bool = Field(
        False, description="It opens a page: wait for its load, and fail if no navigation begins."
    )
    heal: HealMode | None = Field(None, description="What to do when the target is not found.")
    save_as: Name | None = Field(None, description="The variable that gets the result of the action.")
    line: int | None = Field(None, exclude=True, validation_alias=LINE_FIELD)

    @property
    def title(self) -> str:
        """The step in one line: its own name, else `click button 'Sign in'`; never what is typed into a field."""
        return self.name or self.args.sentence()

    @classmethod
    def long_form(cls, value: Any) -> Any:
        """Return the step with its action apart from its fields."""
        if not isinstance(value, dict):
            raise expected('a step such as {click: "#go"}', value, _colon_advice(value))
        action = ACTIONS[_action_key(value)]
        own = action.beside or (action.keyword,)
        given = {name: item for name, item in value.items() if name in own}
        fields = {name: item for name, item in value.items() if name not in own}
        args = given if action.beside else given[action.keyword]
        _refuse_outdented(action, value, args)
        if action.holds_soft and isinstance(args, dict) and "soft" in args and "soft" not in fields:
            args = dict(args)
            fields["soft"] = args.pop("soft")
        return {**fields, ACTION_FIELD: {_field_of(action): args}, LINE_FIELD: getattr(value, "line", None)}

    @property
    def records_traffic(self) -> bool:
        """True if the step or its condition looks at the traffic of pages."""
        return self.args.records_traffic or any(check.records_traffic for check in self.checks())

    def checks(self) -> Iterator[Check]:
        """Yield the checks of the step and of its conditions."""
        values = (self.condition, *(getattr(self.args, name) for name in type(self.args).model_fields))
        for value in values:
            if isinstance(value, Condition):
                yield from value.checks()
            elif isinstance(value, Check):
                yield value

    def disagreements(self) -> Iterable[str]:
        """Yield what is wrong with `save_as`."""
        use = self.args.save_as_use
        if self.save_as is not None and use == "none":
            yield f"'save_as' does not go with this {self.action!r}, which leaves no result to be named"
        if self.save_as is None and use == "required":
            yield f"{self.action!r} needs 'save_as' beside it: the variable for the result"
        unused = sorted(self.given() & {*self.args.unused_fields})
        yield from (f"{key!r} does not go with {self.action!r}: write it at the steps inside" for key in unused)
        yield from super().disagreements()

    @property
    def action(self) -> str:
        """The key of its action."""
        return self.args.keyword

    @property
    def written_action(self) -> str:
        """The key of its action in a document."""
        return self.args.written or self.action

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Step) and self._content() == other._content()

    def __hash__(self) -> int:
        return hash(self._content())

    def _content(self) -> tuple[Any, ...]:
        return tuple(getattr(self, name) for name in Step.model_fields if name != "line")


def _action_key(value: dict[str, Any]) -> str:
    """Return the key of a step's action. Beside another one, `screenshot` and an `if` without `then` are fields."""
    found = [key for key in value if key in ACTIONS]
    fields = ["screenshot"] if "then" in value else ["if", "screenshot"]
    for name in fields:
        if len(found) > 1 and name in found:
            found.remove(name)
    if len(found) > 1:
        raise ValueError(f"{' and '.join(map(repr, found))} are two actions in one step: write a step for each")
    if found:
        return found[0]
    strangers = [key for key in value if key not in all_keys(Step)]
    if strangers:
        advice = {key: advice_on_check(key) or _synonym(str(key)) for key in strangers}
        raise refuse({key: f"unknown action {key!r}{text}" for key, text in advice.items()}, value)
    raise ValueError("has no action, such as goto, click or expect")


_SYNONYMS = {
    "assert": "expect", "verify": "expect", "should": "expect", "navigate": "goto", "visit": "goto", "open": "goto",
    "sleep": "wait_for: {time: 2s}", "wait": "wait_for", "pause": "wait_for: {time: 2s}", "input": "fill",
    "enter": "fill", "keypress": "press", "key": "press", "refresh": "reload", "mouse_over": "hover",
    "context_click": "right_click", "double_click": "dblclick", "viewport": "set_viewport", "loop": "repeat",
    "call": "use", "run_flow": "use", "execute": "evaluate", "script": "evaluate", "api": "request",
    "tick": "check",
}  # fmt: skip


def _synonym(word: str) -> str:
    """Return the action that a word of other tools means, or the nearest one."""
    meant = _SYNONYMS.get(re.sub(r"(?<=[a-z])(?=[A-Z])|[ -]", "_", word).lower())
    return f"; did you mean '{meant}'?" if meant else did_you_mean(word, ACTIONS)


def _colon_advice(value: Any) -> str:
    """Return what is wrong with the colon of a step that YAML reads as text."""
    found = re.match(r"(\w+)(:?)", value) if isinstance(value, str) else None
    if found is None or found[1] not in ACTIONS:
        return ""
    return "; write a space after the ':'" if found[2] else f"; a ':' is missing after {found[1]!r}"


def _refuse_outdented(action: type[Action], value: Mapping[str, Any], args: Any) -> None:
    """Refuse keys of an action that stand beside it, as with too little indentation."""
    known = {*all_keys(action), *(TARGET_KEYS if "target" in all_keys(action) or action.holds_soft else ())}
    others = {*all_keys(Step), *action.beside, action.keyword, action.written}
    misplaced = [
        key for key in value if key not in others and (key in known or (action.holds_soft and is_check(key)))
    ]
    if misplaced:
        word = action.written or action.keyword
        text = f"belongs inside {word!r}{': indent it further' if args is None else ''}"
        raise refuse({key: f"{key!r} {text}" for key in misplaced}, value)
