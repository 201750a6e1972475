"""Moving a case to another host."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from urllib.parse import SplitResult, urlsplit

from qa_queue.cases.model import Args, Case, Expect, Goto, Step, WaitFor
from qa_queue.errors import InputError

_SCHEMES = ("http", "https", "file")


def rebase(case: Case, base_url: str) -> Case:
    """The case at another base URL.

    Absolute URLs of the case's own site (that of its base URL and of its first goto) become relative; those of
    other sites stay. A path in `base_url` goes before the case's paths, as `/shop` before `/login`; where the case
    opens its site's root, it opens `base_url` itself, so that a single page can stand for a site.

    Raises:
        InputError: `base_url` is no http, https or file URL.
    """
    new = split_url(base_url)
    if new is None or new.scheme not in _SCHEMES or not (new.netloc or new.scheme == "file"):
        raise InputError(f"base URL {base_url!r} is no whole URL: give one such as http://127.0.0.1:8080")
    own = {origin for origin in (_origin(case.base_url or ""), first_origin(case.steps)) if origin}
    steps: tuple[Step, ...] = case.steps
    for origin in sorted(own):
        steps = relative_steps(steps, origin)
    if not _has_path(case.base_url or ""):
        steps = _changed(steps, partial(_below, new))
    return case.model_copy(update={"base_url": base_url, "steps": steps})


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
    origins = (_origin(step.args.url) for step in steps if isinstance(step.args, Goto))
    return next((origin for origin in origins if origin), None)


def relative_steps(steps: Iterable[Step], origin: str) -> tuple[Step, ...]:
    """The steps with the URLs of this origin made relative to it."""
    return _changed(steps, partial(_relative, origin))


def _changed(steps: Iterable[Step], change: partial[str]) -> tuple[Step, ...]:
    return tuple(step.model_copy(update={"args": _with_url(step.args, change)}) for step in steps)


def _with_url(args: Args, change: partial[str]) -> Args:
    if isinstance(args, (Goto, WaitFor, Expect)) and args.url is not None:
        return args.model_copy(update={"url": change(args.url)})
    return args


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
    """Whether a base URL names a folder; one that is a reference is taken to name none."""
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
