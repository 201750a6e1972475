"""The steps on a queue that must not be torn apart, as Lua that runs inside Redis."""

from __future__ import annotations

from qa_queue.queues.lua import COMMON, LIMITING
from qa_queue.redis.counters import COUNTS_KEY, OUTCOMES_KEEP_S, OUTCOMES_KEY, retries_field

# ARGV: name; for each job its id, offset, created_at, the moment it is due in us or "", its claim (key, pending
# value, final value, seconds to keep; empty for none), the number of its fields and values, then those. Returns
# "known" or "unclaimed" and ids: of which a job exists, or whose claim is another's; then nothing was written.
ENQUEUE = (
    COMMON
    + """
local name = ARGV[1]
local known, unclaimed, fresh, at = {}, {}, {}, 2
while at <= #ARGV do
  local id, claim = ARGV[at], ARGV[at + 4]
  local holder = claim ~= '' and redis.call('GET', claim)
  if claim ~= '' and holder ~= ARGV[at + 5] and holder ~= ARGV[at + 6] then
    unclaimed[#unclaimed + 1] = id
  elseif redis.call('EXISTS', JOBS .. id) == 0 then
    fresh[#fresh + 1] = at
  -- The same creation twice is one call, sent again because its answer was lost.
  elseif redis.call('HGET', JOBS .. id, 'created_at') ~= ARGV[at + 2] then
    known[#known + 1] = id
  end
  at = at + 9 + tonumber(ARGV[at + 8])
end
if #unclaimed > 0 then return {'unclaimed', unclaimed} end
if #known > 0 or #fresh == 0 then return {'known', known} end
redis.call('SADD', 'rq:queues', list_of(name))
mend(name)
-- Looking for each one's place costs the length of the list; for many it is cheaper to write the list once.
local together = #fresh > 16 and {}
local moment = tick(name, #fresh)
for nth, start in ipairs(fresh) do
  local id, offset, due, claim = ARGV[start], tonumber(ARGV[start + 1]), ARGV[start + 3], ARGV[start + 4]
  local rank = text((due ~= '' and tonumber(due) or moment + nth - 1) + offset)
  redis.call('HSET', JOBS .. id, RANK, rank, unpack(ARGV, start + 9, start + 8 + tonumber(ARGV[start + 8])))
  if claim ~= '' then redis.call('SET', claim, ARGV[start + 6], 'EX', ARGV[start + 7]) end
  if due ~= '' then
    redis.call('ZADD', scheduled_of(name), string.format('%.3f', due / 1000000), id)
    tell('delayed', name, id)
  else
    if together then
      redis.call('ZADD', ranks_of(name), rank, id)
      together[#together + 1] = id
    else
      enter(name, id, rank)
    end
    tell('waiting', name, id)
  end
end
if together then rebuild(name, together) end
wake(name)
return {'known', known}
"""
)

# ARGV: name, id, 1 for the very front.
PUSH = (
    COMMON
    + """
local name, id = ARGV[1], ARGV[2]
mend(name)
local rank = rank_of(name, id)
if ARGV[3] == '1' then
  local first = redis.call('ZRANGE', ranks_of(name), 0, 0, 'WITHSCORES')[2]
  if first then rank = text(math.min(tonumber(rank), tonumber(first) - 1)) end
end
enter(name, id, rank)
wake(name)
tell('waiting', name, id)
return 1
"""
)

# ARGV: names in the order in which they are served. Returns the number of the queue and the job's id.
TAKE = (
    COMMON
    + LIMITING
    + """
local now = micros()
local limited = redis.call('EXISTS', LIMITS) == 1

local function take(name)
  bring_back(name, now)
  for _ = 1, 1000 do
    mend(name)
    local first = redis.call('ZRANGE', ranks_of(name), 0, 0, 'WITHSCORES')
    local id, rank = first[1], first[2]
    if not id then return nil end
    redis.call('ZREM', ranks_of(name), id)
    -- An id without a job was deleted while it waited: drop it.
    if redis.call('LREM', list_of(name), 1, id) > 0 and redis.call('EXISTS', JOBS .. id) == 1 then
      local key, again
      if limited then key, again = refusal(id, now) end
      if not key then
        book(id, now)
        redis.call('RPUSH', intermediate_of(name), id)
        if redis.call('ZCARD', ranks_of(name)) > 0 then wake(name) end
        return id
      end
      park(name, id, rank, key, again)
    end
  end
  wake(name)  -- thousands are limited: go on in another step, so that Redis is not held up
end

for at, name in ipairs(ARGV) do
  local id = redis.call('SISMEMBER', PAUSED, name) == 0 and take(name)
  if id then return {at, id} end
end
return false
"""
)

# ARGV: name, id.
PUT_BACK = (
    COMMON
    + LIMITING
    + """
local name, id = ARGV[1], ARGV[2]
if redis.call('LREM', intermediate_of(name), 1, id) == 0 then return 0 end
mend(name)
enter(name, id, rank_of(name, id))
freed(name, id)
wake(name)
return 1
"""
)

# ARGV: name, the moment in s, at most how many, what `enqueued_at` is to say, the lock of RQ's scheduler. Returns
# how many left the schedule; a queue that one of RQ's schedulers serves is left to it, or jobs would start twice.
PROMOTE = (
    COMMON
    + """
local name, now, most, moment, lock = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
if redis.call('EXISTS', lock) == 1 then return 0 end
local due = redis.call('ZRANGEBYSCORE', scheduled_of(name), '-inf', now, 'LIMIT', 0, most)
for _, id in ipairs(due) do
  redis.call('ZREM', scheduled_of(name), id)
  if redis.call('EXISTS', JOBS .. id) == 1 then
    redis.call('HSET', JOBS .. id, 'status', 'queued', 'enqueued_at', moment)
    mend(name)
    enter(name, id, rank_of(name, id))
    tell('waiting', name, id)
  end
end
if #due > 0 then wake(name) end
return #due
"""
)

# ARGV: name, 1 to pause and 0 to resume. Returns 1 when that changed something.
PAUSE = (
    COMMON
    + """
if ARGV[2] == '1' then return redis.call('SADD', PAUSED, ARGV[1]) end
wake(ARGV[1])
return redis.call('SREM', PAUSED, ARGV[1])
"""
)

# ARGV: name, id, event, its data as JSON, how long the job ran in ms or "", seconds to keep its claim or "".
# The mean is that of all runs at first, then a moving one to which each new run adds a tenth. Of a job that has
# ended for good three more: how long it ran in ms, the fields that count and add that up, and `<queue>|<outcome>`.
NOTE = (
    COMMON
    + LIMITING
    + f"""
local COUNTS, RETRIES, OUTCOMES = '{COUNTS_KEY}', '{retries_field("")}', '{OUTCOMES_KEY}'
local OUTCOMES_KEEP = {OUTCOMES_KEEP_S}
"""
    + """
local name, id, event, data, ran, keep = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
tell(event, name, id, data)
if event == 'active' then return end
freed(name, id)
if keep ~= '' and field(id, CLAIM) then redis.call('EXPIRE', field(id, CLAIM), keep) end
if ran ~= '' then
  local key = 'qa:durations:' .. name
  local count = redis.call('HINCRBY', key, 'count', 1)
  local mean = tonumber(redis.call('HGET', key, 'mean_ms') or 0)
  redis.call('HSET', key, 'mean_ms', mean + (ran - mean) / math.min(count, 10))
end
if event == 'retrying' then redis.call('HINCRBY', COUNTS, RETRIES .. name, 1) end
if ARGV[7] then
  redis.call('HINCRBY', COUNTS, ARGV[8], 1)
  redis.call('HINCRBY', COUNTS, ARGV[9], ARGV[7])
  local minute = OUTCOMES .. text(math.floor(redis.call('TIME')[1] / 60))
  redis.call('HINCRBY', minute, ARGV[10], 1)
  redis.call('EXPIRE', minute, OUTCOMES_KEEP)
end
"""
)
