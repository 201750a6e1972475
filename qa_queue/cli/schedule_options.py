"""The options that set the fields of a schedule, the same for adding one and for editing it."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any

import typer

from qa_queue.cli.options import parse_env
from qa_queue.errors import InputError

_NOTHING = "none"  # takes a field back


def _option(kind: Any, *names: str, say: str) -> Any:
    return Annotated[kind, typer.Option(*names, help=say)]


# By parameter, in the order of the help.
_OPTIONS: dict[str, Any] = {
    "cases": _option(list[str] | None, "--case", say="A stored case, by name or id; may be given again."),
    "tag": _option(str | None, "--tag", say="Run the cases that bear this tag by then."),
    "queue": _option(str | None, "--queue", say="Put a job on this queue instead, such as cleanup."),
    "data": _option(str | None, "--data", say="The job's payload, as JSON."),
    "cron": _option(str | None, "--cron", say="Five fields, such as '30 2 * * mon-fri', or @daily."),
    "every": _option(str | None, "--every", say="An interval instead, such as 15m or 1h30m."),
    "time_zone": _option(str | None, "--zone", say="The zone of the cron fields, such as Europe/Berlin."),
    "start_at": _option(str | None, "--start", say="Not before this moment, ISO 8601."),
    "end_at": _option(str | None, "--end", say="Not after this moment, ISO 8601."),
    "max_runs": _option(str | None, "--max-runs", say="End after so many moments."),
    "overlap": _option(str | None, "--overlap", say="While an earlier run goes on: skip, allow or replace."),
    "missed": _option(str | None, "--missed", say="Moments that nobody served: skip, once or all."),
    "grace_s": _option(str | None, "--grace", say="Seconds after which a moment is missed."),
    "jitter_s": _option(str | None, "--jitter", say="Each moment comes up to so many seconds later."),
    "priority": _option(str | None, "--priority", say="urgent, high, normal or low."),
    "attempts": _option(str | None, "--attempts", say="When the infrastructure fails."),
    "env": _option(list[str] | None, "--env", say="A value for ${env.NAME}, as NAME=VALUE; never a secret."),
    "base_url": _option(str | None, "--base-url", say="Run against this host."),
}


def takes_fields(command: Callable[..., None]) -> Callable[..., None]:
    """Put the options behind the parameters of a command; it gets them in the mapping of its `**values`."""
    declared = inspect.signature(command, eval_str=True).parameters.values()
    own = [one for one in declared if one.kind is not one.VAR_KEYWORD]
    added = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=option)
        for name, option in _OPTIONS.items()
    ]
    command.__signature__ = inspect.Signature([*own, *added])  # type: ignore[attr-defined] # what Typer reads
    command.__annotations__ |= _OPTIONS
    return command


def given(values: dict[str, Any]) -> dict[str, Any]:
    """The fields that were given, as `read_spec` takes them; the word `none` takes one back.

    Raises:
        InputError: a value cannot be read.
    """
    found = {name: value for name, value in values.items() if value not in (None, [])}
    return {name: _read(name, value) for name, value in found.items()}


def _read(name: str, value: Any) -> Any:
    return None if value in (_NOTHING, [_NOTHING]) else _READERS.get(name, _same)(value)


def _same(value: Any) -> Any:
    return value


def _data(text: str) -> dict[str, Any]:
    try:
        data = json.loads(text)
    except ValueError as error:
        raise InputError(f"--data is no JSON ({error}): write it as '{{\"dry_run\": true}}'.") from None
    if not isinstance(data, dict):
        raise InputError("--data is no JSON object: write it as '{\"dry_run\": true}'.")
    return data


def _moment(text: str) -> datetime:
    """A moment; without a zone it is this machine's local time."""
    try:
        return datetime.fromisoformat(text).astimezone()
    except (ValueError, OverflowError):
        raise InputError(f"{text!r} is no moment: write it as 2026-01-08T12:00 or 2026-01-08T12:00Z.") from None


_READERS: dict[str, Callable[[Any], Any]] = {
    "data": _data,
    "env": parse_env,
    "start_at": _moment,
    "end_at": _moment,
}
