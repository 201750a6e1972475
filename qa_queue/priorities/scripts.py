"""The steps on a queue that must not be torn apart, as Lua that runs inside Redis.

Numbers of 16 digits pass through `%.0f`: Lua's own conversion to text keeps only 14.
"""

from __future__ import annotations

from qa_queue.priorities.keys import JOB_PREFIX, RANK_FIELD

_COMMON = f"""
local JOBS, RANK = '{JOB_PREFIX}', '{RANK_FIELD}'

local function text(number) return string.format('%.0f', number) end

-- The moment, in us, and `count` - 1 that follow; later than every one given out before, so that first come stays
-- first served.
local function tick(clock, count)
  local time = redis.call('TIME')
  local now = time[1] * 1000000 + time[2]
  local last = tonumber(redis.call('GET', clock) or 0)
  if now <= last then now = last + 1 end
  redis.call('SET', clock, text(now + count - 1))
  return now
end

-- Put an id at its place: before the next higher rank that really waits, else at the end.
local function enter(list, ranks, id, rank)
  redis.call('ZADD', ranks, rank, id)
  while true do
    local place = redis.call('ZRANK', ranks, id)
    local successor = redis.call('ZRANGE', ranks, place + 1, place + 1)[1]
    if not successor then return redis.call('RPUSH', list, id) end
    if redis.call('LINSERT', list, 'BEFORE', successor, id) > 0 then return end
    redis.call('ZREM', ranks, successor)  -- a plain worker took it
  end
end

local function rank_of(id, clock)
  return redis.call('HGET', JOBS .. id, RANK) or text(tick(clock, 1))
end

-- Write the list anew from the ranks: what it holds now, once each, and what is fresh, in order.
local function rebuild(list, ranks, clock, fresh)
  local present = {{}}
  for _, id in ipairs(redis.call('LRANGE', list, 0, -1)) do
    present[id] = true
    if not redis.call('ZSCORE', ranks, id) then redis.call('ZADD', ranks, rank_of(id, clock), id) end
  end
  for _, id in ipairs(fresh) do present[id] = true end
  local ordered = {{}}
  for _, id in ipairs(redis.call('ZRANGE', ranks, 0, -1)) do
    if present[id] then ordered[#ordered + 1] = id else redis.call('ZREM', ranks, id) end
  end
  redis.call('DEL', list)
  for at = 1, #ordered, 1000 do
    redis.call('RPUSH', list, unpack(ordered, at, math.min(at + 999, #ordered)))
  end
end

-- Rank what others pushed: RQ's scheduler, rq-dashboard.
local function mend(list, ranks, clock)
  if redis.call('LLEN', list) > redis.call('ZCARD', ranks) then rebuild(list, ranks, clock, {{}}) end
end
"""

# KEYS: list, ranks, clock, rq:queues. ARGV: for each job its id, offset, created_at, number of fields and values,
# then those. Returns the ids that exist already; if there are any, nothing was written.
ENQUEUE = (
    _COMMON
    + """
local list, ranks, clock, queues = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local taken, fresh, at = {}, {}, 1
while at <= #ARGV do
  local id, count = ARGV[at], tonumber(ARGV[at + 3])
  if redis.call('EXISTS', JOBS .. id) == 0 then
    fresh[#fresh + 1] = at
  -- The same creation twice is one call, sent again because its answer was lost.
  elseif redis.call('HGET', JOBS .. id, 'created_at') ~= ARGV[at + 2] then
    taken[#taken + 1] = id
  end
  at = at + 4 + count
end
if #taken > 0 then return taken end
redis.call('SADD', queues, list)
mend(list, ranks, clock)
-- Looking for each one's place costs the length of the list; for many it is cheaper to write the list once.
local together = #fresh > 16 and {}
local moment = tick(clock, #fresh)
for nth, start in ipairs(fresh) do
  local id, count = ARGV[start], tonumber(ARGV[start + 3])
  local rank = text(moment + nth - 1 + tonumber(ARGV[start + 1]))
  redis.call('HSET', JOBS .. id, RANK, rank, unpack(ARGV, start + 4, start + 3 + count))
  if together then
    redis.call('ZADD', ranks, rank, id)
    together[#together + 1] = id
  else
    enter(list, ranks, id, rank)
  end
end
if together then rebuild(list, ranks, clock, together) end
return taken
"""
)

# KEYS: list, ranks, clock. ARGV: id, 1 for the very front.
PUSH = (
    _COMMON
    + """
local list, ranks, clock, id = KEYS[1], KEYS[2], KEYS[3], ARGV[1]
mend(list, ranks, clock)
local rank = rank_of(id, clock)
if ARGV[2] == '1' then
  local first = redis.call('ZRANGE', ranks, 0, 0, 'WITHSCORES')[2]
  if first then rank = text(math.min(tonumber(rank), tonumber(first) - 1)) end
end
enter(list, ranks, id, rank)
return 1
"""
)

# KEYS: list, ranks, clock, intermediate list, for each queue. Returns the number of the queue and the job's id.
TAKE = (
    _COMMON
    + """
for at = 1, #KEYS, 4 do
  local list, ranks, clock, intermediate = KEYS[at], KEYS[at + 1], KEYS[at + 2], KEYS[at + 3]
  while true do
    mend(list, ranks, clock)
    local id = redis.call('ZRANGE', ranks, 0, 0)[1]
    if not id then break end
    redis.call('ZREM', ranks, id)
    -- An id without a job was deleted while it waited: drop it.
    if redis.call('LREM', list, 1, id) > 0 and redis.call('EXISTS', JOBS .. id) == 1 then
      redis.call('RPUSH', intermediate, id)
      return {(at + 3) / 4, id}
    end
  end
end
return false
"""
)

# KEYS: list, ranks, clock, intermediate list. ARGV: id.
PUT_BACK = (
    _COMMON
    + """
local list, ranks, clock, intermediate, id = KEYS[1], KEYS[2], KEYS[3], KEYS[4], ARGV[1]
if redis.call('LREM', intermediate, 1, id) == 0 then return 0 end
mend(list, ranks, clock)
enter(list, ranks, id, rank_of(id, clock))
return 1
"""
)
