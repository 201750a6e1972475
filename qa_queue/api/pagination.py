"""Cursors: the place at which the next page of a list begins, as an opaque text. Pure."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Protocol, TypeVar
from uuid import UUID

from qa_queue.errors import InputError
from qa_queue.store.records import RunPlace


class PagePosition(Protocol):
    """An entry of a list that is ordered by the time at which it was queued: a run, a batch."""

    @property
    def queued_at(self) -> datetime:
        """With its zone."""

    @property
    def id(self) -> str:
        """A UUID."""


P = TypeVar("P", bound=PagePosition)


def paged(found: Sequence[P], limit: int) -> tuple[Sequence[P], str | None]:
    """The first `limit` of what was found, and the cursor behind them where there is more."""
    return found[:limit], encode(found[limit - 1]) if len(found) > limit else None


def encode(placed: PagePosition) -> str:
    """The cursor behind this one."""
    return _pack(f"{placed.queued_at.astimezone(UTC).isoformat()}|{placed.id}")


def decode(cursor: str) -> RunPlace:
    """The place that a cursor means.

    Raises:
        InputError: it is not a cursor of this API.
    """
    moment, _, run_id = _unpack(cursor).partition("|")
    try:
        return RunPlace(queued_at=datetime.fromisoformat(moment).astimezone(UTC), id=str(UUID(run_id)))
    except (ValueError, OverflowError):
        raise _no_cursor() from None


def encode_name(name: str, row_id: str) -> str:
    """The cursor behind this name and id."""
    return _pack(f"{row_id}|{name}")


def decode_name(cursor: str) -> tuple[str, str]:
    """Name and id that a cursor means.

    Raises:
        InputError: it is not a cursor of this API.
    """
    row_id, bar, name = _unpack(cursor).partition("|")
    if not bar:
        raise _no_cursor()
    return name, row_id


def _pack(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _unpack(cursor: str) -> str:
    try:
        return base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        raise _no_cursor() from None


def _no_cursor() -> InputError:
    return InputError("Invalid cursor: use the `next` value of the previous page.")
