"""The steps on dead letters that must not be torn apart, as Lua that runs inside Redis."""

from __future__ import annotations

from rq.defaults import RQ_KEY_PREFIX
from rq.registry import FailedJobRegistry

from qa_queue.queues.dead_letter import RAW_FIELD, REQUEUES_FIELD
from qa_queue.queues.lua import COMMON

_DEAD = f"""
local RAW, REQUEUES, RESULTS = '{RAW_FIELD}', '{REQUEUES_FIELD}', '{RQ_KEY_PREFIX}:results:'
local function dead_of(name) return '{FailedJobRegistry.key_template.format("")}' .. name end
local function is_dead(name, id)
  local status = field(id, 'status')
  return (status == 'failed' or status == 'stopped') and redis.call('ZSCORE', dead_of(name), id)
end
"""

# ARGV: name, id, what `enqueued_at` is to say, the key of its signal to cancel. Returns 1; 0 when it is no dead
# letter, so that of two requeues the second does nothing.
REQUEUE = (
    COMMON
    + _DEAD
    + """
local name, id = ARGV[1], ARGV[2]
if not is_dead(name, id) or field(id, RAW) then return 0 end
local job = JOBS .. id
local intervals = field(id, 'retry_intervals')
local retries = intervals and #cjson.decode(intervals) or 0
redis.call('ZREM', dead_of(name), id)
redis.call('HSET', job, 'status', 'queued', 'enqueued_at', ARGV[3], 'retries_left', retries)
redis.call('HDEL', job, 'exc_info', 'ended_at')
redis.call('HINCRBY', job, REQUEUES, 1)
redis.call('PERSIST', job)
redis.call('DEL', ARGV[4])
mend(name)
enter(name, id, rank_of(name, id))
wake(name)
tell('waiting', name, id)
return 1
"""
)

# ARGV: name, id, the key of its attempts.
DISCARD = (
    COMMON
    + _DEAD
    + """
local name, id = ARGV[1], ARGV[2]
if not is_dead(name, id) then return 0 end
redis.call('ZREM', dead_of(name), id)
redis.call('DEL', JOBS .. id, JOBS .. id .. ':dependents', RESULTS .. id, ARGV[3])
return 1
"""
)

# ARGV: name, id, the moment in s at which the letter expires, seconds to keep it, then names and values of the
# fields that take the place of what cannot be read. Returns 0 when the id had been taken out of the way already.
BURY = (
    COMMON
    + _DEAD
    + """
local name, id = ARGV[1], ARGV[2]
if redis.call('LREM', intermediate_of(name), 1, id) == 0 then return 0 end
redis.call('DEL', JOBS .. id)
redis.call('HSET', JOBS .. id, unpack(ARGV, 5))
redis.call('EXPIRE', JOBS .. id, ARGV[4])
redis.call('ZADD', dead_of(name), ARGV[3], id)
tell('dead', name, id, '{"error": "the job cannot be read"}')
return 1
"""
)
