"""Moving a case to another host. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from urllib.parse import SplitResult, urlsplit

from qa_queue.cases.actions import Expect, Goto, If, NewPage, Repeat, Request, SwitchPage, WaitFor
from qa_queue.cases.checks import ToHaveURL
from qa_queue.cases.conditions import Condition
from qa_queue.cases.logins import Login
from qa_queue.cases.model import Case
from qa_queue.cases.steps import Action, Step
from qa_queue.cases.traversal import rewrite, walk
from qa_queue.cases.urls import WEB_SCHEMES
from qa_queue.errors import InputError


def rebase(case: Case, base_url: str) -> Case:
    """The case at another base URL.

    Absolute URLs of the case's own site (that of its base URL and of its first goto) become relative; those of
    other sites stay. A path in `base_url` goes before the case's paths, as `/shop` before `/login`; where the case
    opens its site's root, it opens `base_url` itself, so that a single page can stand for a site.

    Raises:
        InputError: `base_url` is not a whole http or https URL.
    """
    new = split_url(base_url)
    if new is None or new.scheme not in WEB_SCHEMES or not new.netloc:
        raise InputError(f"base URL {base_url!r} is not a whole URL: give one such as http://127.0.0.1:8080")
    first = first_origin(step for _, steps in case.sequences() for step in steps)
    changes = [partial(_relative, origin) for origin in sorted(filter(None, {_origin(case.base_url or ""), first}))]
    if not _has_path(case.base_url or ""):
        changes.append(partial(_below, new))
    sequences, flows, logins = dict(case.sequences()), dict(case.flows), dict(case.logins)
    for change in changes:
        sequences = {key: _changed(steps, change) for key, steps in sequences.items()}
        flows = {
            key: flow.model_copy(update={"steps": _changed(flow.steps, change)}) for key, flow in flows.items()
        }
        logins = {name: _changed_login(login, change) for name, login in logins.items()}
    return case.model_copy(update={"base_url": base_url, "flows": flows, "logins": logins, **sequences})


def moved(case: Case, base_url: str) -> Case:
    """The case with its URLs made to fit another host; its own base URL stays where it is plain text, so that the
    stored case is the same whichever host a run goes to.

    Raises:
        InputError: as `rebase`.
    """
    new = rebase(case, base_url)
    own = case.base_url
    return new.model_copy(update={"base_url": own}) if own and "${" not in own else new


def first_origin(steps: Iterable[Step]) -> str | None:
    """Scheme and host of the first absolute http URL that the steps open."""
    origins = (_origin(step.args.url) for _, step in walk(steps) if isinstance(step.args, Goto))
    return next((origin for origin in origins if origin), None)


def relative_steps(steps: Iterable[Step], origin: str) -> tuple[Step, ...]:
    """The steps with the URLs of this origin made relative to it."""
    return _changed(steps, partial(_relative, origin))


def _changed_login(login: Login, change: partial[str]) -> Login:
    return login.model_copy(update={key: _changed(steps, change) for key, steps in login.sequences()})


def _changed(steps: Iterable[Step], change: partial[str]) -> tuple[Step, ...]:
    return rewrite(steps, partial(_step_with_url, change=change))


def _step_with_url(step: Step, change: partial[str]) -> Step:
    condition = None if step.condition is None else _condition_with_url(step.condition, change)
    return step.model_copy(update={"args": _with_url(step.args, change), "condition": condition})


def _condition_with_url(condition: Condition, change: partial[str]) -> Condition:
    """Return the condition with the URLs of its checks changed, those of the conditions inside included."""
    if isinstance(check := condition.check, ToHaveURL):
        return condition.model_copy(update={"check": check.model_copy(update={"url": change(check.url)})})
    inner = partial(_condition_with_url, change=change)
    joined = {name: tuple(map(inner, found)) for name in ("every", "some") if (found := getattr(condition, name))}
    opposite = {"opposite": inner(condition.opposite)} if condition.opposite else {}
    return condition.model_copy(update=joined | opposite)


def _with_url(action: Action, change: partial[str]) -> Action:
    match action:
        case If() | Repeat():
            found = {name: getattr(action, name, None) for name in ("condition", "as_long", "until")}
            own = {name: _condition_with_url(one, change) for name, one in found.items() if one is not None}
            return action.model_copy(update=own)
        case Goto(url=str(url)) | WaitFor(url=str(url)) | NewPage(url=str(url)) | SwitchPage(url=str(url)):
            return action.model_copy(update={"url": change(url)})
        case Request():
            return action.model_copy(update={action.method.lower(): change(action.url)})
        case Expect(check=ToHaveURL(url=url) as check):
            return action.model_copy(update={"check": check.model_copy(update={"url": change(url)})})
    return action


def split_url(url: str) -> SplitResult | None:
    """The parts of a URL; None for what cannot be one, such as an unfinished IPv6 address."""
    try:
        return urlsplit(url)
    except ValueError:
        return None


def _origin(url: str) -> str | None:
    parts = split_url(url)
    if parts is None or parts.scheme not in ("http", "https") or not parts.netloc:
        return None
    return f"{parts.scheme}://{parts.netloc}"


def _has_path(base_url: str) -> bool:
    """Tell whether a base URL names a folder; a reference is taken to name none."""
    origin = _origin(base_url)
    return origin is not None and base_url.removeprefix(origin).strip("/") != ""


def _relative(origin: str, url: str) -> str:
    if url != origin and not url.startswith((f"{origin}/", f"{origin}?", f"{origin}#")):
        return url
    rest = url.removeprefix(origin)
    return rest if rest.startswith("/") else f"/{rest}"


def _below(base: SplitResult, url: str) -> str:
    """A root-relative URL below the path of the base URL; others stay."""
    if base.path in ("", "/") or not url.startswith("/") or url.startswith("//"):
        return url
    if url == "/":
        return base.path + (f"?{base.query}" if base.query else "")
    folder, _, last = base.path.rpartition("/")
    prefix = folder if "." in last else base.path.rstrip("/")
    return prefix + url
