"""Cases as hypothesis makes them: every field of the model, within what the format allows."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from qa_queue.cases.model import (
    ACTIONS,
    ELEMENT_CHECKS,
    FLAG_CHECKS,
    LOCATOR_KINDS,
    Args,
    Case,
    Expect,
    Screenshot,
    Select,
    SetViewport,
    Step,
    Target,
    Upload,
    Use,
    WaitFor,
)
from qa_queue.models import TraceMode, Viewport

texts = st.text(max_size=12)
words = st.text(min_size=1, max_size=12)
heal = st.sampled_from(["off", "suggest", "auto"])
durations = st.integers(1, 24 * 3_600_000)
flags = st.booleans()


def maybe(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """The strategy's values, or None."""
    return st.none() | strategy


def _targets(inner: st.SearchStrategy[Target]) -> st.SearchStrategy[Target]:
    narrowing = {
        "exact": maybe(flags),
        "within": maybe(inner),
        "frame": maybe(inner),
        "has_text": maybe(words),
        "nth": maybe(st.integers(-5, 5)),
        "visible": maybe(flags),
        "fallbacks": st.lists(inner, max_size=2).map(tuple),
    }
    by_kind = [st.builds(Target, **{kind: words}, **narrowing) for kind in LOCATOR_KINDS if kind != "role"]
    role = {"role": words, "name": maybe(words), "checked": maybe(flags), "level": maybe(st.integers(1, 6))}
    return st.one_of(*by_kind, st.builds(Target, **role, **narrowing))


targets = st.recursive(words.map(lambda selector: Target(selector=selector)), _targets, max_leaves=4)


def _expects() -> st.SearchStrategy[Args]:
    of_element = [
        st.builds(Expect, target=targets, negate=flags, **{check: _check(check)}) for check in ELEMENT_CHECKS
    ]
    return st.one_of(
        *of_element,
        st.builds(Expect, negate=flags, url=words),
        st.builds(Expect, negate=flags, title=texts),
    )


def _check(check: str) -> st.SearchStrategy[Any]:
    if check in FLAG_CHECKS:
        return st.just(True)
    return st.integers(0, 99) if check == "count" else texts


def _waits() -> st.SearchStrategy[Args]:
    state = st.sampled_from(["visible", "hidden", "attached", "detached"])
    return st.one_of(
        st.builds(WaitFor, target=targets, state=state, count=maybe(st.integers(0, 9))),
        st.builds(WaitFor, url=words),
        st.builds(WaitFor, load_state=st.sampled_from(["load", "domcontentloaded", "networkidle"])),
    )


def _selects() -> st.SearchStrategy[Args]:
    values = st.lists(texts, min_size=1, max_size=3).map(tuple)
    return st.one_of(
        st.builds(Select, target=targets, value=texts),
        st.builds(Select, target=targets, label=texts),
        st.builds(Select, target=targets, values=values),
    )


_pixels = st.integers(0, 999) | st.floats(0, 999)
_plain: dict[str, dict[str, Any]] = {
    "goto": {"url": texts},
    "hover": {"target": targets},
    "check": {"target": targets},
    "uncheck": {"target": targets},
    "fill": {"target": targets, "value": texts},
    "type": {"target": targets, "value": texts},
    "press": {"key": words, "target": maybe(targets)},
}
_click = {
    "target": targets,
    "button": st.sampled_from(["left", "right", "middle"]),
    "position": maybe(st.tuples(_pixels, _pixels)),
}
arguments: dict[str, st.SearchStrategy[Args]] = {
    **{action: st.builds(ACTIONS[action], **fields) for action, fields in _plain.items()},
    "click": st.builds(ACTIONS["click"], **_click),
    "dblclick": st.builds(ACTIONS["dblclick"], **_click),
    "select": _selects(),
    "upload": st.builds(Upload, target=targets, files=st.lists(words, min_size=1, max_size=3).map(tuple)),
    "wait_for": _waits(),
    "screenshot": st.builds(Screenshot, name=maybe(words), target=maybe(targets), full_page=flags),
    "set_viewport": st.builds(SetViewport, width=st.integers(1, 10_000), height=st.integers(1, 10_000)),
    "expect": _expects(),
}
_fields = {
    "id": maybe(words),
    "name": maybe(words),
    "timeout_ms": maybe(durations),
    "optional": flags,
    "soft": flags,
    "always_run": flags,
    "screenshot": flags,
    "heal": maybe(heal),
}


def _steps(action: str, args: st.SearchStrategy[Args]) -> st.SearchStrategy[Step]:
    """Steps of one action; a screenshot has no field of that name, since both are one key in a file."""
    fields = _fields | ({"screenshot": st.just(False)} if action == "screenshot" else {})
    return st.builds(Step, action=st.just(action), args=args, **fields)


steps = st.one_of(*(_steps(action, args) for action, args in arguments.items()))
_viewports = st.builds(Viewport, width=st.integers(1, 10_000), height=st.integers(1, 10_000))
_names = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True)
cases = st.builds(
    Case,
    id=maybe(words),
    name=words,
    base_url=maybe(words),
    tags=st.lists(words, max_size=3, unique=True).map(tuple),
    retries=st.integers(0, 10),
    timeout_ms=durations,
    trace=st.sampled_from(TraceMode),
    use=st.builds(Use, device=maybe(words), viewport=_viewports, test_id_attribute=words),
    heal=heal,
    vars=st.dictionaries(_names, texts, max_size=3),
    steps=st.lists(steps, min_size=1, max_size=3).map(tuple),
)
