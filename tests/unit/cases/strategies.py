"""Cases as hypothesis makes them: every action, check and field of the language, derived from its classes."""

from __future__ import annotations

import re
import types
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from hypothesis import strategies as st
from pydantic import AfterValidator, BaseModel
from pydantic.fields import FieldInfo

from qa_queue.cases import environment, traffic, vocabulary
from qa_queue.cases.actions import AnswerDialog, CheckValue, Click, Expect, Extract, ForEach, Press, network
from qa_queue.cases.checks import CHECKS, Check, FlagCheck, ValueCheck, screenshots
from qa_queue.cases.conditions import Condition
from qa_queue.cases.json_path import JsonPath
from qa_queue.cases.keyboard import KEYS
from qa_queue.cases.logins import Login
from qa_queue.cases.model import Case, Step, Target, Use
from qa_queue.cases.patterns import Regex, TextWords, takes_regex
from qa_queue.cases.steps import ACTIONS, Action
from qa_queue.cases.urls import scheme_problem
from qa_queue.cases.vocabulary import MAX_DURATION_MS, Duration, Json, Name, Vocabulary, key_of
from qa_queue.models import EvidenceMode, Viewport

texts = st.text(max_size=12)
paths = st.sampled_from(["$.items[0].id", "$.name", "$[*]"])
expressions = st.sampled_from(["a.b", r"(\d+)"])
words = st.text(min_size=1, max_size=12)
heal = st.sampled_from(["off", "suggest", "auto"])
durations = st.integers(1, MAX_DURATION_MS)
flags = st.booleans()
names = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True)
json_values = st.recursive(
    st.none() | flags | st.integers(-99, 99) | texts,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(words, inner, max_size=2),
    max_leaves=4,
)
parts = st.sampled_from(["status", "text", "headers.Location", "$", "$.items[0].id"])
statuses = st.lists(st.sampled_from(["200", "4xx"]), min_size=1, max_size=2).map(tuple)


regexes = st.builds(Regex, pattern=words.map(re.escape), flags=st.sampled_from(["", "i", "ims"]))
slashed = words.map(lambda text: f"/{text}/")  # plain texts that look like expressions
patterns = words | slashed | slashed.map("\\{}".format) | regexes


def maybe(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """The strategy's values, or None."""
    return st.none() | strategy


def _joinable(target: Target) -> Target:
    """The target as it may stand inside `has`, `and` and so on."""
    return target.model_copy(update={"frame": None, "fallbacks": ()})


def _targets(inner: st.SearchStrategy[Target]) -> st.SearchStrategy[Target]:
    narrowing = {
        "exact": maybe(flags),
        "within": maybe(inner),
        "frame": maybe(inner),
        "has_text": maybe(patterns),
        "has_not_text": maybe(patterns),
        "has": maybe(inner.map(_joinable)),
        "has_not": maybe(inner.map(_joinable)),
        "and_": maybe(inner.map(_joinable)),
        "or_": maybe(inner.map(_joinable)),
        "nth": maybe(st.integers(-5, 5)),
        "visible": maybe(flags),
        "fallbacks": st.lists(inner, max_size=2).map(tuple),
    }
    by_kind = [
        st.builds(Target, **{kind: patterns if takes_regex(Target, kind) else words}, **narrowing)
        for kind in Target.kinds
        if kind != "role"
    ]
    role = {
        "role": words,
        "name": maybe(patterns),
        "level": maybe(st.integers(1, 6)),
        "include_hidden": maybe(flags),
        **{state: maybe(flags) for state in Target.states},
    }
    return st.one_of(*by_kind, st.builds(Target, **role, **narrowing))


targets = st.recursive(words.map(lambda selector: Target(selector=selector)), _targets, max_leaves=4)


def _validator_of(alias: Any) -> Any:
    """The function that checks the values of a type."""
    return next(one.func for one in get_args(alias)[1:] if hasattr(one, "func"))


by_validator = {
    _validator_of(Duration): durations,
    _validator_of(Name): names,
    _validator_of(environment.Time): st.datetimes().map(lambda moment: moment.isoformat(timespec="seconds")),
    _validator_of(environment.StateName): st.sampled_from(["ann", "staff-1"]),
    _validator_of(environment.Locale): st.sampled_from(["de-DE", "en"]),
    _validator_of(environment.TimeZone): st.sampled_from(["Europe/Berlin", "UTC"]),
    _validator_of(environment.HeaderName): st.from_regex(r"[A-Za-z-]{1,8}", fullmatch=True),
    _validator_of(environment.HeaderValue): st.from_regex(r"[ -~]{0,8}", fullmatch=True),
    _validator_of(environment.SocketUrl): st.just("ws://browsers:3000/"),
    _validator_of(environment.DevtoolsUrl): st.just("http://browsers:9222"),
    _validator_of(vocabulary.Span): st.integers(1, vocabulary.MAX_SPAN_MS),
    _validator_of(Json): json_values,
    _validator_of(network.ResponsePart): parts,
    _validator_of(JsonPath): paths,
    _validator_of(TextWords): words | regexes,
    _validator_of(screenshots.ScreenshotName): st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_-]{0,9}", fullmatch=True),
    _validator_of(traffic.Statuses): statuses,
    _validator_of(traffic.Method): st.sampled_from(["GET", "POST"]),
    _validator_of(traffic.Regex): st.sampled_from([r"api/\d+", "a|b"]),
}


def _own_values(metadata: Any) -> st.SearchStrategy[Any] | None:
    """The values of a type that its validator alone describes."""
    return next((by_validator[one.func] for one in metadata if getattr(one, "func", None) in by_validator), None)


def values_of(annotation: Any, limits: dict[str, Any]) -> st.SearchStrategy[Any]:
    """The values that a field of this type may have."""
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        own = _own_values(args[1:])
        return own if own is not None else _valid(values_of(args[0], limits | _limits(args[1:])), args[1:])
    if origin is dict:
        keys, items = values_of(args[0], {"min_length": 1}), values_of(args[1], {})
        least, most = limits.get("min_length", 0), limits.get("max_length", 2)
        return st.dictionaries(keys, items, min_size=least, max_size=most)
    if origin is Literal:
        return st.sampled_from(args)
    if origin is tuple:
        least, most = limits.get("min_length", 0), limits.get("max_length", 3)
        return st.lists(values_of(args[0], {}), min_size=least, max_size=most).map(tuple)
    if origin in (Union, types.UnionType):
        return st.one_of(*(values_of(one, limits) for one in args))
    return _plain_values(annotation, limits)


def _plain_values(annotation: Any, limits: dict[str, Any]) -> st.SearchStrategy[Any]:
    if annotation is str:
        return words if limits.get("min_length") else texts
    if annotation is int:
        return st.integers(limits.get("ge", -9), limits.get("le", 99))
    if annotation is float:
        most = min(limits.get("le", 999), 999)
        return st.integers(0, int(most)).map(float) | st.floats(0, most)
    known = {
        bool: flags,
        Regex: regexes,
        Target: targets,
        type(None): st.none(),
        Condition: st.deferred(lambda: conditions),
        Step: st.deferred(lambda: plain_steps),
    }
    if annotation not in known and isinstance(annotation, type) and issubclass(annotation, Vocabulary):
        return instances_of(annotation).filter(lambda value: not any(value.disagreements()))
    return known[annotation]


def _limits(metadata: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for item in metadata:
        inner = item.metadata if isinstance(item, FieldInfo) else [item]
        for one in inner:
            found |= {n: getattr(one, n) for n in ("ge", "le", "min_length", "max_length") if hasattr(one, n)}
    return found


def instances_of(model: type[Vocabulary]) -> st.SearchStrategy[Any]:
    """The instances that follow the model's rules."""
    if not model.one_of:
        built = st.builds(model, **_fields(model, model.model_fields)).map(_without_contradictions)
        return built.filter(lambda value: not any(value.disagreements()))
    return st.one_of(*(_with_only(model, key) for key in model.one_of))


def _with_only(model: type[Vocabulary], chosen: str) -> st.SearchStrategy[Any]:
    """The instances with this one of the keys that exclude each other."""
    others = {key for key in model.one_of if key != chosen}
    others |= {key for key, needed in model.needs.items() if needed in others}
    others |= {key for names in model.at_most_one if chosen in names for key in names if key != chosen}
    fields = {name: field for name, field in model.model_fields.items() if key_of(model, name) not in others}
    given = _fields(model, fields)
    empty = ((), None)
    name = next(name for name in fields if key_of(model, name) == chosen)
    built = st.builds(model, **given | {name: given[name].filter(lambda value: value not in empty)})
    return built.map(_without_contradictions).filter(lambda value: not any(value.disagreements()))


def _without_contradictions(value: Vocabulary) -> Vocabulary:
    """The value with one of each set of keys that exclude each other at most."""
    for keys in value.at_most_one:
        fields = [name for name in type(value).model_fields if key_of(type(value), name) in keys]
        defaults = {name: type(value).model_fields[name].get_default(call_default_factory=True) for name in fields}
        given = [name for name in fields if getattr(value, name) != defaults[name]]
        value = value.model_copy(update={name: defaults[name] for name in given[1:]})
    if isinstance(value, AnswerDialog) and value.answer == "dismiss":
        value = value.model_copy(update={"prompt": None})
    return value


def _fields(model: type[BaseModel], fields: dict[str, FieldInfo]) -> dict[str, st.SearchStrategy[Any]]:
    del model
    given = {name: _values_of_field(field) for name, field in fields.items()}
    return given | {
        name: maybe(durations) if name == "time_ms" else durations for name in given if name.endswith("_ms")
    }


def _values_of_field(field: FieldInfo) -> st.SearchStrategy[Any]:
    own = _own_values(field.metadata)
    if own is not None:
        return own
    values = values_of(field.annotation, _limits(field.metadata))
    return _valid(values, field.metadata)


def _valid(values: st.SearchStrategy[Any], metadata: Any) -> st.SearchStrategy[Any]:
    is_url = any(isinstance(item, AfterValidator) for item in metadata)
    return values.filter(_has_allowed_scheme) if is_url else values


def _has_allowed_scheme(url: str) -> bool:
    return scheme_problem(url) is None


def _check(check: type[Check]) -> st.SearchStrategy[Check]:
    fields = {name: field for name, field in check.model_fields.items() if name != "target"}
    given = _fields(check, fields)
    if issubclass(check, FlagCheck):
        given[check.keyword] = st.just(True)
    if "target" in check.model_fields:
        given["target"] = targets
    return st.builds(check, **given).map(_without_contradictions)


def checks() -> st.SearchStrategy[Check]:
    """Every check."""
    return st.one_of(*(_check(check) for check in CHECKS.values()), value_checks)


not_null = json_values.filter(lambda value: value is not None)
numbers = st.integers(-99, 99) | texts
comparisons: dict[str, st.SearchStrategy[Any]] = {
    "equals": not_null,
    "contains": not_null,
    "matches": expressions,
    "greater": numbers,
    "less": numbers,
    "between": st.tuples(numbers, numbers),
    "any_of": st.lists(json_values, min_size=1, max_size=2).map(tuple),
    "empty": flags,
    "length": st.integers(0, 99),
    "json_parts": st.dictionaries(paths, json_values, min_size=1, max_size=2),
}
value_checks = st.one_of(
    *(st.builds(ValueCheck, value=not_null, negate=flags, **{key: wanted}) for key, wanted in comparisons.items())
)


rows = st.lists(flags | texts | st.integers(0, 9), max_size=3).map(tuple) | st.just("${var.rows}")
conditions = st.recursive(
    st.builds(Condition, check=checks()),
    lambda inner: st.one_of(
        st.builds(Condition, every=st.lists(inner, min_size=1, max_size=2).map(tuple)),
        st.builds(Condition, some=st.lists(inner, min_size=1, max_size=2).map(tuple)),
        st.builds(Condition, opposite=inner),
    ),
    max_leaves=3,
)


def _extracts() -> st.SearchStrategy[Extract]:
    """Every kind of reading, with an element where it needs one."""
    parts = {"json_path": maybe(paths), "match": maybe(expressions)}
    variables = st.just(True) | names
    on_page = [st.builds(Extract, **{key: variables}, **parts) for key in ("url", "title")]
    named = [st.builds(Extract, **{key: words}, **parts) for key in ("cookie", "local_storage", "session_storage")]
    elements: dict[str, st.SearchStrategy[Any]] = {"text": variables, "value": variables, "attribute": words}
    read = [st.builds(Extract, **{k: v}, target=targets, every=flags, **parts) for k, v in elements.items()]
    return st.one_of(
        *on_page,
        *named,
        *read,
        st.builds(Extract, count=variables, target=targets, **parts),
        st.builds(Extract, source=json_values.filter(lambda value: value is not None), **parts),
    )


def _action(action: type[Action]) -> st.SearchStrategy[Action]:
    if action is Expect:
        return st.builds(Expect, check=checks())
    if action is CheckValue:
        return st.builds(CheckValue, check=value_checks)
    if action is ForEach:
        inner = st.lists(plain_steps, min_size=1, max_size=2).map(tuple)
        return st.builds(ForEach, rows=rows, name=names, steps=inner)
    if action is Press:
        return st.builds(Press, key=st.sampled_from(sorted(KEYS)), target=maybe(targets))
    return _extracts() if action is Extract else instances_of(action)


def _steps(action: type[Action]) -> st.SearchStrategy[Step]:
    """Steps of one action. Screenshots and branches have no field of their name: both are one key in a file."""
    names = [name for name in Step.model_fields if name not in ("args", "line", "timeout_ms", "save_as")]
    fields = _fields(Step, {name: Step.model_fields[name] for name in names})
    fields |= {"timeout_ms": maybe(durations), "args": _action(action)}
    fields |= {"screenshot": st.just(False)} if action.keyword == "screenshot" else {}
    fields |= {"condition": st.none()} if action.keyword == "if" else {}
    return st.builds(Step, **fields).flatmap(_named)


def _named(step: Step) -> st.SearchStrategy[Step]:
    """The step with `save_as` where it has to, or may, have one."""
    found = {"none": st.none(), "optional": maybe(names), "required": names}[step.args.save_as_use]
    return found.map(lambda name: step.model_copy(update={"save_as": name}))


plain_steps = _steps(Click)
_of_action = {keyword: _steps(action) for keyword, action in ACTIONS.items() if keyword != "use"}  # needs flows
steps = st.sampled_from(sorted(_of_action)).flatmap(_of_action.__getitem__)
_viewports = st.builds(Viewport, width=st.integers(1, 10_000), height=st.integers(1, 10_000))
cases = st.builds(
    Case,
    id=maybe(words),
    name=words,
    base_url=maybe(words.filter(_has_allowed_scheme)),
    tags=st.lists(words, max_size=3, unique=True).map(tuple),
    retries=st.integers(0, 10),
    timeout_ms=durations,
    trace=st.sampled_from(EvidenceMode),
    use=st.builds(Use, device=maybe(words), viewport=_viewports, test_id_attribute=words),
    heal=heal,
    lock=maybe(st.sampled_from(["account", "printer-1"])),
    vars=st.dictionaries(names, json_values, max_size=3),
    logins=st.dictionaries(
        st.sampled_from(["ann", "bob-2"]),
        st.builds(Login, steps=st.lists(plain_steps, min_size=1, max_size=2).map(tuple)),
    ),
    before=st.lists(plain_steps, max_size=1).map(tuple),
    steps=st.lists(steps, min_size=1, max_size=3).map(tuple),
    after=st.lists(plain_steps, max_size=1).map(tuple),
)
