"""Keeping finished and failed jobs few: the newest N of a queue stay in Redis, the rows in Supabase stay anyway."""

from __future__ import annotations

from redis import Redis
from rq.defaults import RQ_KEY_PREFIX
from rq.registry import FailedJobRegistry, FinishedJobRegistry

from qa_queue.priorities.keys import JOB_PREFIX

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
