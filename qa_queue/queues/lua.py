"""What the scripts on queues have in common, as Lua that runs inside Redis.

Numbers of 16 digits pass through `%.0f`: Lua's own conversion to text keeps only 14.
"""

from __future__ import annotations

from rq.registry import ScheduledJobRegistry

from qa_queue.progress.reader import EVENTS_KEY, MOST_EVENTS
from qa_queue.queues.keys import (
    CLAIM_FIELD,
    JOB_PREFIX,
    LIMITS_FIELD,
    LIMITS_KEY,
    PAUSED_KEY,
    RANK_FIELD,
    QueueKeys,
)

_INTERMEDIATE = QueueKeys("").intermediate.removeprefix(QueueKeys("").waiting)

# In all scripts `name` is a queue's, `id` a job's. Keys are made from names here, since a script learns of most of
# them only as it runs.
_NAMES = f"""
local JOBS, RANK, CLAIM, LIMITED_BY = '{JOB_PREFIX}', '{RANK_FIELD}', '{CLAIM_FIELD}', '{LIMITS_FIELD}'
local EVENTS, MOST_EVENTS, PAUSED, LIMITS = '{EVENTS_KEY}', {MOST_EVENTS}, '{PAUSED_KEY}', '{LIMITS_KEY}'

local function list_of(name) return '{QueueKeys("").waiting}' .. name end
local function intermediate_of(name) return list_of(name) .. '{_INTERMEDIATE}' end
local function scheduled_of(name) return '{ScheduledJobRegistry.key_template.format("")}' .. name end
local function ranks_of(name) return '{QueueKeys("").ranks}' .. name end
local function clock_of(name) return '{QueueKeys("").clock}' .. name end
local function wake_of(name) return '{QueueKeys("").wake}' .. name end
local function parked_of(name) return '{QueueKeys("").parked}' .. name end
local function limited_of(name) return '{QueueKeys("").limited}' .. name end
"""

_ORDER = """
local function text(number) return string.format('%.0f', number) end

local function micros()
  local time = redis.call('TIME')
  return time[1] * 1000000 + time[2]
end

-- A field of a job, false when there is none or what stands there is no job at all.
local function field(id, which)
  local value = redis.pcall('HGET', JOBS .. id, which)
  return type(value) == 'string' and value
end

-- The moment, in us, and `count` - 1 that follow; later than every one given out before, so that first come stays
-- first served.
local function tick(name, count)
  local now = micros()
  local last = tonumber(redis.call('GET', clock_of(name)) or 0)
  if now <= last then now = last + 1 end
  redis.call('SET', clock_of(name), text(now + count - 1))
  return now
end

-- Have one waiting taker look; it passes the word on while there is more.
local function wake(name)
  if redis.call('EXISTS', wake_of(name)) == 0 then redis.call('RPUSH', wake_of(name), '1') end
end

local function tell(event, name, id, data)
  redis.call('XADD', EVENTS, 'MAXLEN', '~', MOST_EVENTS, '*', 'event', event, 'queue', name, 'job', id, 'data',
    data or '{}')
end

-- Put an id at its place: before the next higher rank that really waits, else at the end.
local function enter(name, id, rank)
  local list, ranks = list_of(name), ranks_of(name)
  redis.call('ZADD', ranks, rank, id)
  while true do
    local place = redis.call('ZRANK', ranks, id)
    local successor = redis.call('ZRANGE', ranks, place + 1, place + 1)[1]
    if not successor then return redis.call('RPUSH', list, id) end
    if redis.call('LINSERT', list, 'BEFORE', successor, id) > 0 then return end
    redis.call('ZREM', ranks, successor)  -- a plain worker took it
  end
end

local function rank_of(name, id)
  return field(id, RANK) or text(tick(name, 1))
end

-- Write the list anew from the ranks: what it holds now, once each, and what is fresh, in order.
local function rebuild(name, fresh)
  local list, ranks, present = list_of(name), ranks_of(name), {}
  for _, id in ipairs(redis.call('LRANGE', list, 0, -1)) do
    present[id] = true
    if not redis.call('ZSCORE', ranks, id) then redis.call('ZADD', ranks, rank_of(name, id), id) end
  end
  for _, id in ipairs(fresh) do present[id] = true end
  local ordered = {}
  for _, id in ipairs(redis.call('ZRANGE', ranks, 0, -1)) do
    if present[id] then ordered[#ordered + 1] = id else redis.call('ZREM', ranks, id) end
  end
  redis.call('DEL', list)
  for at = 1, #ordered, 1000 do
    redis.call('RPUSH', list, unpack(ordered, at, math.min(at + 999, #ordered)))
  end
end

-- Rank what others pushed: RQ's scheduler, rq-dashboard.
local function mend(name)
  if redis.call('LLEN', list_of(name)) > redis.call('ZCARD', ranks_of(name)) then rebuild(name, {}) end
end
"""

COMMON = _NAMES + _ORDER

# A rule stands in the hash of limits under its key, or under its kind and a star: "<at once>:<starts a minute>",
# either may be empty. A job that a rule refuses is parked beside the list, so that it holds up nobody behind it:
# in the parked ids of its queue by rank, and in those of the key that refused it; the key is looked at again at the
# moment that stands in the queue's limited keys.
LIMITING = """
local MINUTE, SOON = 60000000, 1000000

local function rule_of(key)
  local rule = redis.call('HGET', LIMITS, key) or redis.call('HGET', LIMITS, (key:match('^[^:]*:') or '') .. '*')
  if not rule then return nil, nil end
  local at_once, a_minute = rule:match('^(%d*):(%d*)$')
  return tonumber(at_once), tonumber(a_minute)
end

-- How many jobs of a key workers really have; what has ended or was given back is forgotten.
local function running(key)
  local holders, count = 'qa:running:' .. key, 0
  for _, id in ipairs(redis.call('SMEMBERS', holders)) do
    local name = field(id, 'origin')
    if field(id, 'status') == 'started' or (name and redis.call('LPOS', intermediate_of(name), id)) then
      count = count + 1
    else
      redis.call('SREM', holders, id)
    end
  end
  return count
end

-- The key that refuses a job now, and the moment to look again; nil when it may start.
local function refusal(id, now)
  for key in (field(id, LIMITED_BY) or ''):gmatch('[^\\n]+') do
    local at_once, a_minute = rule_of(key)
    if at_once and running(key) >= at_once then return key, now + SOON end
    if a_minute then
      local starts = 'qa:starts:' .. key
      redis.call('ZREMRANGEBYSCORE', starts, '-inf', text(now - MINUTE))
      if redis.call('ZCARD', starts) >= a_minute then
        return key, redis.call('ZRANGE', starts, 0, 0, 'WITHSCORES')[2] + MINUTE
      end
    end
  end
end

local function book(id, now)
  for key in (field(id, LIMITED_BY) or ''):gmatch('[^\\n]+') do
    local at_once, a_minute = rule_of(key)
    if at_once then redis.call('SADD', 'qa:running:' .. key, id) end
    if a_minute then
      redis.call('ZADD', 'qa:starts:' .. key, text(now), id .. ':' .. text(now))
      redis.call('PEXPIRE', 'qa:starts:' .. key, MINUTE / 1000 + 1000)
    end
  end
end

local function park(name, id, rank, key, again)
  redis.call('ZADD', parked_of(name), rank, id)
  redis.call('ZADD', parked_of(name) .. ':' .. key, rank, id)
  redis.call('ZADD', limited_of(name), text(again), key)
end

-- Of each key that is to be looked at, put the first parked job back to its place in the list.
local function bring_back(name, now)
  for _, key in ipairs(redis.call('ZRANGEBYSCORE', limited_of(name), '-inf', text(now))) do
    local first = redis.call('ZPOPMIN', parked_of(name) .. ':' .. key)
    if not first[1] then
      redis.call('ZREM', limited_of(name), key)
    elseif redis.call('ZREM', parked_of(name), first[1]) == 1 then
      mend(name)
      enter(name, first[1], first[2])
    end
  end
end

-- A job has ended, or its attempt: what its keys hold up may be looked at now.
local function freed(name, id)
  for key in (field(id, LIMITED_BY) or ''):gmatch('[^\\n]+') do
    redis.call('SREM', 'qa:running:' .. key, id)
    redis.call('ZADD', limited_of(name), 'XX', 0, key)
    if redis.call('EXISTS', limited_of(name)) == 1 then wake(name) end
  end
end
"""
