"""Past durations and failures of cases, to order and distribute their next runs."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Mapping

from redis import Redis

from qa_queue.models import RunStatus
from qa_queue.queues.keys import SHARDS_PREFIX
from qa_queue.store.protocol import RunStore
from qa_queue.store.records import RunRecord, digest
from qa_queue.suites.ordering import MOST_DURATIONS, CaseHistory, Shard, shards

MOST_RUNS = 3_000  # read, the newest of all cases
SHARDS_TTL_S = 6 * 3_600
_ENDED = tuple(status for status in RunStatus if status.final and status is not RunStatus.CANCELLED)


def history_of(store: RunStore, case_ids: Collection[str]) -> dict[str, CaseHistory]:
    """Return the history of these cases, as far as the newest runs of the service tell."""
    newest: defaultdict[str, list[RunRecord]] = defaultdict(list)
    for run in store.list_runs(statuses=_ENDED, limit=min(MOST_RUNS, MOST_DURATIONS * 10 * len(case_ids))):
        if run.test_case_id in case_ids and len(newest[run.test_case_id]) < MOST_DURATIONS:
            newest[run.test_case_id].append(run)
    return {case_id: _history(runs) for case_id, runs in newest.items()}


def _history(runs: list[RunRecord]) -> CaseHistory:
    durations = tuple(run.running_ms for run in runs if run.running_ms is not None)
    return CaseHistory(durations_ms=durations, failed=runs[0].status.bad)


def shard_of(
    connection: Redis, case_ids: Collection[str], history: Mapping[str, CaseHistory], shard: Shard
) -> frozenset[str]:
    """Return the cases of a shard.

    The first machine that asks decides for all: results that arrive meanwhile must not move a case to another part.
    """
    wanted = sorted(case_ids)
    key = SHARDS_PREFIX + digest({"cases": wanted, "total": shard.total})
    connection.set(key, json.dumps(shards(wanted, history, shard.total)), nx=True, ex=SHARDS_TTL_S)
    kept: list[list[str]] = json.loads(connection.get(key) or "[]")
    return frozenset(kept[shard.index - 1])
