"""The target of a step: `"#go"`, or a mapping with one kind of locator, narrowed, with fallbacks."""

from collections.abc import Iterable
from typing import Annotated, Any, ClassVar, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from qa_queue.cases.patterns import TextWords
from qa_queue.cases.vocabulary import Many, Vocabulary, Words, all_keys, expected, one_or_many, refuse
from qa_queue.errors.validation import nearest

_NOUNS = {
    "name": "element",
    "label": "field",
    "text": "text",
    "placeholder": "field with placeholder",
    "alt": "image",
    "title": "element with title",
    "test_id": "element with test id",
}
_NARROWING = {
    "has_text": "with text",
    "has_not_text": "without text",
    "has": "with",
    "has_not": "without",
    "and_": "and",
    "or_": "or",
}
ATTACHED_FRAME = "attached-frame"
"""The selector engine `attached-frame=0`: frames of a document in the order in which they were attached to it."""
# WAI-ARIA 1.2, without `generic`, `none` and `presentation`, which name nothing that one could look for.
ARIA_ROLES = frozenset(
    """
    alert alertdialog application article banner blockquote button caption cell checkbox code columnheader combobox
    complementary contentinfo definition deletion dialog directory document emphasis feed figure form grid gridcell
    group heading img insertion link list listbox listitem log main marquee math menu menubar menuitem
    menuitemcheckbox menuitemradio meter navigation note option paragraph progressbar radio radiogroup region row
    rowgroup rowheader scrollbar search searchbox separator slider spinbutton status strong subscript superscript
    switch tab table tablist tabpanel term textbox time timer toolbar tooltip tree treegrid treeitem
    """.split()  # noqa: SIM905 - seventy quoted words would be harder to read
)
_OTHER_ROLES = ("comment", "generic", "image", "mark", "none", "presentation", "suggestion", "sectionheader")


def _role(name: str) -> str:
    """Refuse a mistyped role; pages may have roles of their own."""
    known = (*ARIA_ROLES, *_OTHER_ROLES)
    if name not in known and "${" not in name and (near := nearest(name, known, cutoff=0.8)):
        raise ValueError(f"unknown role {name!r}; did you mean {near!r}?")
    return name


Role = Annotated[Words, AfterValidator(_role)]
Level = Annotated[int, Field(ge=1, le=6)]


class Target(Vocabulary):
    """The name of an element in a step: one kind of locator, narrowed, with fallbacks in order.

    Strict: two matches are an error. `name` alone, without `role`, means "any interactive role with this accessible
    name", as the Recorder's `aria/` selectors do. `within` is found first and searched inside.
    """

    short: ClassVar[str | None] = "selector"
    fills_in: ClassVar[bool] = True
    kinds: ClassVar[tuple[str, ...]] = (
        "role", "label", "text", "placeholder", "alt", "title", "test_id", "css", "xpath", "selector", "name",
    )  # fmt: skip
    states: ClassVar[tuple[str, ...]] = ("checked", "disabled", "expanded", "pressed", "selected")
    role_only: ClassVar[tuple[str, ...]] = (*states, "level", "include_hidden")
    joined: ClassVar[tuple[str, ...]] = ("has", "has_not", "and_", "or_")
    at_most_one: ClassVar[tuple[tuple[str, ...], ...]] = (("nth", "first", "last"),)

    role: Role | None = Field(None, description="ARIA role, such as button, link, textbox, heading.")
    name: TextWords | None = Field(
        None, description="Accessible name; alone, an element of any interactive role with this name."
    )
    exact: bool | None = Field(
        None, description="Match the whole text or name, in its case; otherwise a part of it in any case."
    )
    checked: bool | None = Field(None, description="With role: only what is checked, or is not.")
    disabled: bool | None = Field(None, description="With role: only what is disabled, or is not.")
    expanded: bool | None = Field(None, description="With role: only what is expanded, or is not.")
    pressed: bool | None = Field(None, description="With role: only what is pressed, or is not.")
    selected: bool | None = Field(None, description="With role: only what is selected, or is not.")
    level: Level | None = Field(None, description="With role heading: its level.")
    include_hidden: bool | None = Field(
        None, description="With role: also elements that are hidden from assistive technology."
    )
    label: TextWords | None = Field(None, description="Text of the field's label, or its aria-label.")
    text: TextWords | None = Field(None, description="Text that the element shows.")
    placeholder: TextWords | None = Field(None, description="Placeholder of the field.")
    alt: TextWords | None = Field(None, description="Alternative text of the image.")
    title: TextWords | None = Field(None, description="The title attribute.")
    test_id: TextWords | None = Field(
        None, description="Value of the test id attribute (data-testid unless `use` says otherwise)."
    )
    css: Words | None = Field(None, description="CSS selector; looks into open shadow roots.")
    xpath: Words | None = Field(None, description="XPath; does not look into shadow roots.")
    selector: Words | None = Field(None, description="A selector of Playwright, as a bare string is.")
    within: "Target | None" = Field(None, description="Search inside this element.")
    frame: "Target | None" = Field(None, description="Search inside this iframe.")
    has: "Target | None" = Field(None, description="Only elements with a match of this target inside.")
    has_not: "Target | None" = Field(None, description="Only elements without a match of this target inside.")
    has_text: TextWords | None = Field(None, description="Only elements that contain this text.")
    has_not_text: TextWords | None = Field(None, description="Only elements that do not contain this text.")
    visible: bool | None = Field(None, description="Only visible elements, or only hidden ones.")
    and_: "Target | None" = Field(
        None,
        validation_alias="and",
        serialization_alias="and",
        description="Only elements that this target matches too.",
    )
    or_: "Target | None" = Field(
        None,
        validation_alias="or",
        serialization_alias="or",
        description="Elements that this target matches as well; `nth`, `first` and `last` count them too.",
    )
    nth: int | None = Field(None, description="The match of this index, from 0; negative from the end.")
    first: bool | None = Field(None, description="The first match.")
    last: bool | None = Field(None, description="The last match.")
    fallbacks: Many["Target"] = Field((), description="Other ways to name the element, tried in order.")

    @classmethod
    def long_form(cls, value: Any) -> Any:
        """Return a selector as its mapping."""
        if isinstance(value, (str, dict)):
            return super().long_form(value)
        comment = "; a selector that begins with # needs quotes" if value is None else ""
        raise expected("a selector or a mapping such as {role: button}", value, comment)

    def disagreements(self) -> Iterable[str]:
        """Yield what is wrong with the given keys together: exactly one of them names the element."""
        given = self.given()
        kinds = [kind for kind in self.kinds if kind in given and not (kind == "name" and "role" in given)]
        if not kinds:
            yield f"does not name an element: give one of {', '.join(self.kinds)}"
        if len(kinds) > 1:
            named = " and ".join(map(repr, kinds))
            yield f"{named} each name an element: keep one, and move the others to 'fallbacks'"
        yield from (
            f"{key!r} goes with 'role' only" for key in self.role_only if key in given and self.role is None
        )
        for name in self.joined:
            if (inner := getattr(self, name)) and (inner.frame is not None or inner.fallbacks):
                wrong = "frame" if inner.frame is not None else "fallbacks"
                yield f"{wrong!r} cannot stand inside {name.strip('_')!r}: write it beside {name.strip('_')!r}"
        yield from super().disagreements()

    def __str__(self) -> str:
        words = [self._own_words(), *self._state_words()]
        for name, preposition in _NARROWING.items():
            value = getattr(self, name)
            if value is not None:
                words.append(f"{preposition} {value if isinstance(value, Target) else repr(value)}")
        if self.nth is not None:
            words.append(_place(self.nth))
        if self.within is not None:
            words.append(f"in {self.within}")
        if self.frame is not None:
            words.append(f"in frame {self.frame}")
        return " ".join(words)

    def document(self, *, fallbacks: bool = False) -> dict[str, Any]:
        """Return the target as rows store it: only what is set; without its fallbacks unless asked for."""
        return self.model_dump(mode="json", exclude_defaults=True, exclude=set() if fallbacks else {"fallbacks"})

    def alternatives(self) -> tuple["Target", ...]:
        """Return the target without its fallbacks, then each fallback in order."""
        return (self.model_copy(update={"fallbacks": ()}), *self.fallbacks)

    def _state_words(self) -> Iterable[str]:
        """Yield the states that narrow it, as `checked` or `not visible`."""
        for state in (*self.states, "visible"):
            if (value := getattr(self, state)) is not None:
                yield state if value else f"not {state}"

    def _own_words(self) -> str:
        if self.role is not None:
            return self.role if self.name is None else f"{self.role} {self.name!r}"
        for kind, noun in _NOUNS.items():
            if (value := getattr(self, kind)) is not None:
                return f"{noun} {value!r}"
        return f"`{self.css or self.xpath or self.selector}`"

    @model_validator(mode="after")
    def _positions_are_indices(self) -> Self:
        match self.first, self.last, self.nth:
            case (None, None, _):
                return self
            case (first, None, None):
                return self.model_copy(update={"nth": 0 if first else None, "first": None})
            case (None, last, None):
                return self.model_copy(update={"nth": -1 if last else None, "last": None})
        return self


def _place(nth: int) -> str:
    if nth >= 0:
        return f"number {nth + 1}"
    return "the last" if nth == -1 else f"number {-nth} from the end"


TARGET_KEYS = all_keys(Target)
Targets = Annotated[Many[Target], BeforeValidator(one_or_many, json_schema_input_type=Target | Many[Target])]
"""Several targets; a single one may stand for the list."""


def with_target(model: type[Vocabulary], value: dict[str, Any]) -> dict[str, Any]:
    """Return a mapping with the keys of a target that stand beside the model's own put under `target`.

    Where a key could be either, it is the model's own.
    """
    own = all_keys(model)
    strays = [key for key in value if key not in own]
    if not strays or "target" not in model.model_fields:
        return value
    if "target" in value:
        if misplaced := [key for key in strays if key in TARGET_KEYS]:
            raise refuse(
                {key: f"{key!r} belongs to the target: write it under 'target'" for key in misplaced}, value
            )
        return value
    kept = {key: item for key, item in value.items() if key in own}
    return kept | {"target": {key: value[key] for key in strays}}
