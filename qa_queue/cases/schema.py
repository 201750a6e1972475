"""The JSON Schema of case files, for completion in editors and for programs that write cases.

Pydantic writes the schema of each class; this module adds the forms and rules that the classes declare beside their
fields.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping

from pydantic.json_schema import models_json_schema

from qa_queue.cases.actions import Expect, If, Select
from qa_queue.cases.checks import (
    BESIDE_TARGET,
    CHECKS,
    AccessibilityRules,
    Check,
    DialogPattern,
    DownloadPattern,
    ElementCheck,
    FileContent,
    FlagCheck,
)
from qa_queue.cases.checks.base import FORMS
from qa_queue.cases.checks.network import IgnoredMessages, IgnoredRequests
from qa_queue.cases.conditions import Condition
from qa_queue.cases.environment import Connect, Network
from qa_queue.cases.logins import Login
from qa_queue.cases.model import Case, Flow, PytestTests, Suite, Use
from qa_queue.cases.schema_sharing import Schema, shared
from qa_queue.cases.steps import ACTION_FIELD, ACTIONS, LINE_FIELD, Action, Step
from qa_queue.cases.targets import Target
from qa_queue.cases.traffic import RequestPattern, ResponsePattern
from qa_queue.cases.vocabulary import Vocabulary, all_keys, key_of, keys_of

_TEXT: Schema = {"type": "string", "minLength": 1}
_ALL_CHECKS = (*CHECKS.values(), *FORMS.values())
_SHORTENED: Mapping[type[Vocabulary], tuple[str, ...]] = {
    AccessibilityRules: ("true",),
    Connect: ("text",),
    DialogPattern: ("true", "text"),
    DownloadPattern: ("true", "text"),
    FileContent: ("text",),
    IgnoredMessages: ("true",),
    IgnoredRequests: ("true",),
    Network: ("list",),
    RequestPattern: ("text",),
    ResponsePattern: ("text",),
}
"""The forms of values inside actions and checks, beside their mappings."""
_SHORT_FORMS: Mapping[str, Schema] = {
    "true": {"const": True},
    "text": _TEXT,
    "list": {"type": "array", "items": {"type": "string"}},
}
_CHECK_KEYS = frozenset(key for check in CHECKS.values() for key in keys_of(check, check.field))


def schema_text() -> str:
    """Return the schema as the text of a file, in one line: it is for editors and programs."""
    return json.dumps(case_schema(), ensure_ascii=False, separators=(",", ":"))


def case_schema() -> Schema:
    """Return the JSON Schema (draft 2020-12) of a file with one case or a suite, after YAML or JSON was read.

    Rules that a schema cannot state (two cases of one key, `${...}` without a value) only the loader checks.
    """
    models: tuple[type[Vocabulary], ...] = (
        Case,
        PytestTests,
        Suite,
        Flow,
        Use,
        Login,
        Step,
        Target,
        Condition,
        *ACTIONS.values(),
        *_ALL_CHECKS,
        *_SHORTENED,
    )
    _, written = models_json_schema([(model, "validation") for model in models])
    plain = {model: _tidy(model, written["$defs"][model.__name__]) for model in models}
    definitions = written["$defs"] | {model.__name__: _complete(model, plain) for model in models}
    return shared(
        {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": "qa-queue case file, version 1",
            "oneOf": [_ref(Case), _ref(Suite), _ref(Flow)],
            "$defs": definitions,
        }
    )


def _tidy(model: type[Vocabulary], schema: Schema) -> Schema:
    """Return the schema of a mapping without what pydantic adds to every field."""
    properties = {key: _plain_property(key in model.nullable, one) for key, one in schema["properties"].items()}
    if model.fills_in:
        properties = {key: _or_reference(one) for key, one in properties.items()}
    if issubclass(model, Check):
        properties["soft"] = {"type": "boolean", "description": Step.model_fields["soft"].description}
    if model is Suite:
        properties["cases"]["items"] = _ref(Case)
    kept = {key: value for key, value in schema.items() if key not in ("title", "properties", "description")}
    return kept | {"properties": properties} | _rules(model)


def _plain_property(nullable: bool, schema: Schema) -> Schema:
    kept = {key: value for key, value in schema.items() if key not in ("title", "default")}
    options = [one for one in kept.pop("anyOf", ()) if nullable or one != {"type": "null"}]
    return kept | (options[0] if len(options) == 1 else {"anyOf": options} if options else {})


def _or_reference(schema: Schema) -> Schema:
    """Return the schema of a number, flag or list that may also be a whole `${...}`."""
    kinds = {one.get("type") for one in schema.get("oneOf") or schema.get("anyOf") or (schema,)}
    if not kinds & {"integer", "number", "boolean", "array"} or "string" in kinds or _holds_steps(schema):
        return schema
    about = {"description": schema["description"]} if "description" in schema else {}
    plain = {key: value for key, value in schema.items() if key != "description"}
    return about | {"anyOf": [plain, {"type": "string", "pattern": r"^\$\{.+\}$"}]}


def _holds_steps(schema: Schema) -> bool:
    return bool(schema.get("items") == _ref(Step))


def _rules(model: type[Vocabulary]) -> Schema:
    rules: Schema = {}
    if model.one_of:
        rules["oneOf"] = _each_required(model.one_of)
    if model.needs:
        rules["dependentRequired"] = {key: [other] for key, other in model.needs.items()}
    if model.at_most_one:
        rules["allOf"] = [_not_both(a, b) for names in model.at_most_one for a, b in _pairs(names)]
    return rules


def _complete(model: type[Vocabulary], plain: dict[type[Vocabulary], Schema]) -> Schema:
    """Return the schema of every form that a word may be written in."""
    mapping, about = plain[model], _about(model)
    if model is Step:
        return {"description": about} | _step(mapping, plain[If]["properties"])
    if model is Target:
        return _either(about, [_TEXT | {"description": "A selector of Playwright."}, mapping | _target_rules()])
    if model in (Condition, Login):
        return (_condition if model is Condition else _login)(about, mapping)
    if issubclass(model, Check) and model.keyword:
        return _either(about, list(_check_forms(model, mapping, plain[Target])))
    if issubclass(model, Action):
        return _either(about, list(_action_forms(model, mapping, plain[Target])))
    return _either(about, [*(_SHORT_FORMS[form] for form in _SHORTENED.get(model, ())), mapping])


def _step(mapping: Schema, branches: Schema) -> Schema:
    """Return the step with each action as a key of its own. A screenshot beside another action is a field.

    A branch is the action whose arguments stand beside it: `if`, `then` and `else`.
    """
    properties = {key: one for key, one in mapping["properties"].items() if key not in (ACTION_FIELD, LINE_FIELD)}
    actions = {key: _ref(action) | {"description": _about(action)} for key, action in ACTIONS.items()}
    picture = properties.pop("screenshot")
    others = [key for key in ACTIONS if key not in ("screenshot", If.keyword)]
    with_picture = {"required": ["screenshot"], "not": {"anyOf": _each_required([*others, "then"])}}
    beside = [{"required": [key], "properties": {"screenshot": picture}} for key in others]
    branch = {"required": ["if", "then"], "properties": {"screenshot": picture}}
    return {
        "type": "object",
        "properties": actions | properties | branches,
        "additionalProperties": False,
        "oneOf": [*beside, with_picture, branch],
    }


def _login(about: str, mapping: Schema) -> Schema:
    flow = _TEXT | {"description": "The file of a flow."}
    return _either(about, [flow, mapping["properties"]["steps"], mapping])


def _condition(about: str, mapping: Schema) -> Schema:
    joined = {key: one for key, one in mapping["properties"].items() if key != "check"}
    joined |= {key: {"oneOf": _checks()} for key in ("expect", "check")}
    forms = [
        {"type": "object", "properties": {key: one}, "required": [key], "additionalProperties": False}
        for key, one in joined.items()
    ]
    return {"description": about, "oneOf": [*_checks(), *forms]}


def _checks() -> list[Schema]:
    """Return the schemas of all checks, and of those under `page`, whose other keys may stand beside it."""
    of_page = [one for one in CHECKS.values() if not issubclass(one, ElementCheck) or not one.needs_target]
    page = {
        "type": "object",
        "properties": {"page": {"description": "A check of the page itself.", "oneOf": [*map(_ref, of_page)]}},
        "required": ["page"],
        "not": {"required": ["target"]},
    }
    return [*map(_ref, _ALL_CHECKS), page]


def _action_forms(model: type[Action], mapping: Schema, target: Schema) -> Iterator[Schema]:
    if model is Expect:
        yield {"oneOf": _checks()}
        return
    yield from (_ref(ACTIONS[word]) for word in model.elsewhere.values())
    if model.spread is not None:
        yield mapping["properties"][model.spread]
        return
    if model.spread is not None:
        yield mapping["properties"][key_of(model, model.spread)]
        return
    if model.bare:
        yield {"enum": [None, True]}
    if short := getattr(model, "short_schema", None) or _short(model, mapping):
        yield short
    yield mapping
    if "target" in model.model_fields:
        yield _spread(mapping, target, all_keys(model))
    if model is Select:
        yield _spread(_without_label(mapping), target, all_keys(model) - {"label"})


def _without_label(mapping: Schema) -> Schema:
    """Return the schema of a choice whose `label` is that of the field."""
    kept = {key: one for key, one in mapping["properties"].items() if key != "label"}
    return mapping | {"properties": kept, "oneOf": _each_required(key for key in Select.one_of if key != "label")}


def _short(model: type[Action], mapping: Schema) -> Schema | None:
    if model.short is None or set(mapping.get("required", ())) - {key_of(model, model.short)}:
        return None
    written: Schema = mapping["properties"][key_of(model, model.short)]
    return written if written.get("type") == "string" else _TEXT


def _check_forms(model: type[Check], mapping: Schema, target: Schema) -> Iterator[Schema]:
    """Yield the forms of a check; Playwright's name of it may stand for its keyword."""
    for key in keys_of(model, model.field):
        properties = dict(mapping["properties"])
        wanted = properties.pop(model.keyword)
        about = wanted["description"] if key == model.keyword else f"The same as `{model.keyword}`."
        named = mapping | {"properties": {key: wanted | {"description": about}, **properties}}
        required = [key, "target"] if issubclass(model, ElementCheck) and model.needs_target else [key]
        if issubclass(model, FlagCheck):
            others = {name: one for name, one in properties.items() if name != "target"}
            short = {key: _ref(Target) | {"description": about}, **others}
            yield named | {"properties": short, "required": [key]}
            named = named | {"properties": {key: {"type": "boolean", "description": about}, **properties}}
        yield named | {"required": required}
        if issubclass(model, ElementCheck) and key not in BESIDE_TARGET:
            own = (_CHECK_KEYS - {*BESIDE_TARGET}) | all_keys(model)
            yield _spread(named | {"required": required}, target, own)


def _spread(mapping: Schema, target: Schema, own: Collection[str]) -> Schema:
    """Return a mapping with the keys of its target beside its own ones."""
    inside = {key: one for key, one in target["properties"].items() if key not in own}
    exclusive = {key for rule in mapping.get("oneOf", ()) for key in rule["required"]}
    left_out = {"target"} | (exclusive if "target" in exclusive else set())
    kept = {key: one for key, one in mapping["properties"].items() if key not in left_out}
    rules = {} if "target" in exclusive else {"oneOf": mapping["oneOf"]} if "oneOf" in mapping else {}
    return {
        "type": "object",
        "properties": kept | inside,
        "required": [key for key in mapping.get("required", ()) if key != "target"],
        "additionalProperties": False,
        "allOf": [_target_rules(inside), *([rules] if rules else [])],
    }


def _target_rules(keys: Collection[str] | None = None) -> Schema:
    """Return the rules of a target that has these keys: one of them names the element."""
    kinds = [kind for kind in Target.kinds if keys is None or kind in keys]
    named: list[Schema] = _each_required(kind for kind in kinds if kind != "name")
    named.append({"required": ["name"]} | ({"not": {"required": ["role"]}} if "role" in kinds else {}))
    return {
        "oneOf": named,
        "dependentRequired": {
            key: ["role"] for key in Target.role_only if "role" in kinds and (keys is None or key in keys)
        },
        "allOf": [_not_both(a, b) for names in Target.at_most_one for a, b in _pairs(names)],
    }


def _either(about: str, forms: list[Schema]) -> Schema:
    return {"description": about} | (forms[0] if len(forms) == 1 else {"anyOf": forms})


def _about(model: type[Vocabulary]) -> str:
    return " ".join((model.__doc__ or "").split("\n\n")[0].split())


def _ref(model: type[Vocabulary]) -> Schema:
    return {"$ref": f"#/$defs/{model.__name__}"}


def _each_required(keys: Iterable[str]) -> list[Schema]:
    return [{"required": [key]} for key in keys]


def _not_both(one: str, other: str) -> Schema:
    return {"not": {"required": [one, other]}}


def _pairs(names: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    return ((a, b) for index, a in enumerate(names) for b in names[index + 1 :])
