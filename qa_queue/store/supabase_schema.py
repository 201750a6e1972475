"""The check that a project has every table with its columns, and the nesting of tables in one query."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from qa_queue.errors import StoreAuthError, StoreError, StoreUnavailableError
from qa_queue.store.client import SupabaseClient
from qa_queue.store.mapping import TABLES, columns
from qa_queue.store.records import (
    AdaptationRow,
    ArtifactRecord,
    CaseRecord,
    FingerprintRecord,
    PatternRecord,
    RunRecord,
    StepRecord,
    VerdictRecord,
)

_OF_RUNS = (StepRecord, ArtifactRecord)  # their tables refer to runs
_OF_CASES = (AdaptationRow, PatternRecord, FingerprintRecord, VerdictRecord)  # and these to cases, as runs do
_OTHERS = tuple(kind for kind in TABLES if kind not in {CaseRecord, RunRecord, *_OF_RUNS, *_OF_CASES})


def check_schema(client: SupabaseClient) -> None:
    """Return if the database answers, the key is accepted and every table has its columns.

    Raises:
        StoreUnavailableError, StoreAuthError, StoreSchemaError, StoreError: names the first table that is wrong.
    """
    try:
        _select_nothing(client, CaseRecord, *map(embedded, _OF_CASES), embedded(RunRecord, _OF_RUNS))
        _check_each(client, _OTHERS)
    except (StoreUnavailableError, StoreAuthError):
        raise
    except StoreError:  # its message names the outermost table
        _check_each(client, TABLES)


def embedded(kind: type[Any], inside: Iterable[type[Any]] = ()) -> str:
    """Return the part of a `select` that nests the rows of a table, and those of others in them."""
    return f"{TABLES[kind]}({','.join((*columns(kind), *map(embedded, inside)))})"


def _check_each(client: SupabaseClient, kinds: Iterable[type[Any]]) -> None:
    for kind in kinds:
        _select_nothing(client, kind)


def _select_nothing(client: SupabaseClient, kind: type[Any], *nested: str) -> None:
    client.send(client.table(TABLES[kind]).select(*columns(kind), *nested).limit(0))
