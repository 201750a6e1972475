"""Options for the fields of a schedule, the same to add one and to edit it."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any

import typer

from qa_queue.cli.options import parse_env
from qa_queue.errors import InputError

_NOTHING = "none"  # resets a field


def _option(kind: Any, *names: str, say: str) -> Any:
    return Annotated[kind, typer.Option(*names, help=say)]


# By parameter, in the order of the help.
_OPTIONS: dict[str, Any] = {
    "cases": _option(list[str] | None, "--case", say="A stored case, by name or id; may be given again."),
    "tag": _option(str | None, "--tag", say="Run the cases that have this tag at that time."),
    "queue": _option(str | None, "--queue", say="Start a job of this queue instead, such as cleanup."),
    "data": _option(str | None, "--data", say="The job's payload, as JSON."),
    "cron": _option(str | None, "--cron", say="Five fields, such as '30 2 * * mon-fri', or @daily."),
    "every": _option(str | None, "--every", say="An interval instead, such as 15m or 1h30m."),
    "time_zone": _option(str | None, "--zone", say="The zone of the cron fields, such as Europe/Berlin."),
    "start_at": _option(str | None, "--start", say="Not before this moment, ISO 8601."),
    "end_at": _option(str | None, "--end", say="Not after this moment, ISO 8601."),
    "max_runs": _option(str | None, "--max-runs", say="End after this number of moments."),
    "overlap": _option(str | None, "--overlap", say="While an earlier run has not ended: skip, allow or replace."),
    "missed": _option(str | None, "--missed", say="Moments that were missed: skip, once or all."),
    "grace_s": _option(str | None, "--grace", say="Seconds after which a moment is missed."),
    "jitter_s": _option(str | None, "--jitter", say="The most by which each moment is delayed, in seconds."),
    "priority": _option(str | None, "--priority", say="urgent, high, normal or low."),
    "attempts": _option(str | None, "--attempts", say="Attempts, if the infrastructure fails."),
    "env": _option(list[str] | None, "--env", say="A value for ${env.NAME}, as NAME=VALUE; never a secret."),
    "base_url": _option(str | None, "--base-url", say="Run against this host."),
}


def takes_fields(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options to the parameters of a command, which gets them in its `**values`."""
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
    """Return the given fields as `read_spec` takes them; the word `none` resets one.

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
        raise InputError(f"--data is not JSON ({error}): write it as '{{\"dry_run\": true}}'.") from None
    if not isinstance(data, dict):
        raise InputError("--data is not a JSON object: write it as '{\"dry_run\": true}'.")
    return data


def _moment(text: str) -> datetime:
    """Return a moment; without a zone it is in this machine's local time."""
    try:
        return datetime.fromisoformat(text).astimezone()
    except (ValueError, OverflowError):
        raise InputError(f"{text!r} is not a moment: write it as 2026-01-08T12:00 or 2026-01-08T12:00Z.") from None


_READERS: dict[str, Callable[[Any], Any]] = {
    "data": _data,
    "env": parse_env,
    "start_at": _moment,
    "end_at": _moment,
}
