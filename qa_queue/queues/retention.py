"""Deleting ended jobs by their age; `trim` does it by their number.

Keeping finished and failed jobs few: the newest N of a queue stay in Redis, the rows in Supabase stay anyway.
"""

from __future__ import annotations

import time
from typing import Literal, get_args

from redis import Redis
from rq.defaults import RQ_KEY_PREFIX
from rq.registry import CanceledJobRegistry, FailedJobRegistry, FinishedJobRegistry

from qa_queue.errors import InputError
from qa_queue.queues.jobs import FAILURE_TTL_S, RESULT_TTL_S
from qa_queue.queues.keys import JOB_PREFIX

CleanKind = Literal["completed", "failed", "cancelled"]

# RQ scores ended jobs by the moment at which they expire, and cancelled ones by that of their end.
_REGISTRIES: dict[CleanKind, tuple[str, int, tuple[str, ...]]] = {
    "completed": (FinishedJobRegistry.key_template, RESULT_TTL_S, ("finished",)),
    "failed": (FailedJobRegistry.key_template, FAILURE_TTL_S, ("failed", "stopped")),
    "cancelled": (CanceledJobRegistry.key_template, 0, ("canceled",)),
}
_BATCH = 500  # jobs deleted in one step, so that Redis is never held up

# KEYS: registry. ARGV: the highest score, how many at most, then the statuses of jobs that may be deleted.
_CLEAN = f"""
local statuses, deleted = {{}}, {{}}
for at = 3, #ARGV do statuses[ARGV[at]] = true end
local ids = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'LIMIT', 0, ARGV[2])
for _, id in ipairs(ids) do
  local job = '{JOB_PREFIX}' .. id
  local status = redis.call('HGET', job, 'status')
  if not status or statuses[status] then
    redis.call('DEL', job, job .. ':dependents', '{RQ_KEY_PREFIX}:results:' .. id, 'qa:attempts:' .. id)
    deleted[#deleted + 1] = id
  end
  redis.call('ZREM', KEYS[1], id)
end
return {{#ids, deleted}}
"""


def clean(connection: Redis, queue: str, *, grace_ms: int, limit: int, kind: CleanKind) -> list[str]:
    """See `QueueManager.clean`."""
    if grace_ms < 0 or limit < 0:
        raise InputError(f"grace is {grace_ms} ms and limit is {limit}: both should be 0 or more.")
    if kind not in _REGISTRIES:
        raise InputError(f"{kind!r} cannot be cleaned: it should be one of {', '.join(get_args(CleanKind))}.")
    template, ttl, statuses = _REGISTRIES[kind]
    highest = int(time.time() - grace_ms / 1000) + ttl
    script = connection.register_script(_CLEAN)
    deleted: list[str] = []
    while len(deleted) < limit:
        most = min(_BATCH, limit - len(deleted))
        looked, ids = script(keys=[template.format(queue)], args=[highest, most, *statuses])
        deleted += [job_id.decode() for job_id in ids]
        if looked < most:
            break
    return deleted


BATCH = 100  # at most so many in one call, so that Redis is never held up

# KEYS: registry. ARGV: how many to keep, at most how many to remove. The registry is scored by the moment of
# expiry and all jobs live equally long, so the lowest scores ended first. A job that runs again is left alone.
_TRIM = f"""
local registry = KEYS[1]
local extra = math.min(redis.call('ZCARD', registry) - tonumber(ARGV[1]), tonumber(ARGV[2]))
if extra <= 0 then return 0 end
for _, id in ipairs(redis.call('ZRANGE', registry, 0, extra - 1)) do
  local job = '{JOB_PREFIX}' .. id
  local status = redis.call('HGET', job, 'status')
  if status == 'finished' or status == 'failed' or status == 'stopped' then
    redis.call('DEL', job, job .. ':dependents', '{RQ_KEY_PREFIX}:results:' .. id)
  end
  redis.call('ZREM', registry, id)
end
return extra
"""


def trim(connection: Redis, queue: str, *, keep_finished: int, keep_failed: int) -> int:
    """Delete the oldest finished and failed jobs of a queue over these numbers; returns how many.

    One round trip; the cost is that of the jobs removed, at most 100 of each kind a call.
    """
    pipeline = connection.pipeline(transaction=False)
    pipeline.eval(_TRIM, 1, FinishedJobRegistry.key_template.format(queue), keep_finished, BATCH)
    pipeline.eval(_TRIM, 1, FailedJobRegistry.key_template.format(queue), keep_failed, BATCH)
    return sum(pipeline.execute())
