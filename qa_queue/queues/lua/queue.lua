-- Shared: the order of a queue's waiting jobs, blocked workers, and the event stream.
--
-- include: job
--
-- Every script that includes this file is called with
--   ARGV[1]     names, see job.lua
--   ARGV[2..]   the names of its queues, then its own arguments
--   KEYS[1]     events        stream of the events of all queues
--   KEYS[2]     paused        set of the names of paused queues
--   KEYS[3]     limits        hash of the limit rules
--   KEYS[4]     queues        RQ's set of the queues' lists
--   KEYS[5]     counts        hash of counters for metrics
--   KEYS[6..]   the keys of each queue, in this order:
local QUEUE_KEYS = {
  'waiting',       -- RQ's list of waiting ids, in the order in which they start
  'intermediate',  -- RQ's list of reserved ids, whose execution is not registered yet
  'scheduled',     -- RQ's registry of delayed ids, by the time in s at which they are due
  'failed',        -- RQ's registry of failed ids, the dead letters, by the time in s at which they expire
  'canceled',      -- RQ's registry of cancelled ids, by the time in s at which they were cancelled
  'scores',        -- sorted set of waiting ids, by priority score; a lower score starts earlier
  'clock',         -- the latest arrival time that was assigned, in us
  'wake',          -- list with one entry while a blocked worker has to look for a job
  'parked',        -- sorted set of ids that a limit holds beside the list, by priority score
  'limited',       -- sorted set of limit keys with parked ids, by the time in us of the next check
  'durations',     -- hash of the mean duration and the number of the jobs that completed
}
-- Keys derived here: `parked:<limit key>`, the parked ids of one limit key, by priority score.
--
-- Invariants between two scripts:
--   An id is in at most one of waiting, intermediate, scheduled, parked and failed, and a script that moves it does so
--   in one step: a crash at any moment loses no job and doubles none.
--   `waiting` is in the order of `scores`. Ids that RQ's own code pushed have no score yet: `adopt_pushed` assigns one
--   before the order matters. Ids that a plain RQ worker took may still have one: it is removed when a script meets it.
--   Arrival times only increase, also when the clock of the server is set back or jumps on a failover.
--
-- Numbers of 16 digits are formatted with `integer`, because Lua's own conversion keeps only 14.

local EVENTS, PAUSED, LIMITS, QUEUES, COUNTS = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local FIRST = 5

-- The name and the keys of the queue number `number`, from 1.
local function queue_at(number)
  local queue = {name = ARGV[1 + number]}
  for at, key in ipairs(QUEUE_KEYS) do queue[key] = KEYS[FIRST + (number - 1) * #QUEUE_KEYS + at] end
  return queue
end

local function integer(number) return string.format('%.0f', number) end

local function now_us()
  local time = redis.call('TIME')
  return time[1] * 1000000 + time[2]
end

-- Assign `count` consecutive arrival times, in us, and return the first. All are later than any assigned before, so
-- that jobs of one priority start in the order of their arrival.
local function arrival_times(queue, count)
  local first = now_us()
  local last = tonumber(redis.call('GET', queue.clock) or 0)
  if first <= last then first = last + 1 end
  redis.call('SET', queue.clock, integer(first + count - 1))
  return first
end

-- Wake one blocked worker. It wakes the next one if more jobs are waiting.
local function wake(queue)
  if redis.call('EXISTS', queue.wake) == 0 then redis.call('RPUSH', queue.wake, '1') end
end

local function publish(event, queue, id, data)
  redis.call('XADD', EVENTS, 'MAXLEN', '~', names.max_events, '*', 'event', event, 'queue', queue.name, 'job', id,
    'data', data or '{}')
end

-- Insert an id at its position: before the next higher score that is really in the list, else at the end.
local function insert(queue, id, score)
  redis.call('ZADD', queue.scores, score, id)
  while true do
    local position = redis.call('ZRANK', queue.scores, id)
    local successor = redis.call('ZRANGE', queue.scores, position + 1, position + 1)[1]
    if not successor then return redis.call('RPUSH', queue.waiting, id) end
    if redis.call('LINSERT', queue.waiting, 'BEFORE', successor, id) > 0 then return end
    redis.call('ZREM', queue.scores, successor)  -- a plain RQ worker took it
  end
end

-- The score with which a job was enqueued; for a job of RQ's own code, that of a NORMAL job that arrives now.
local function score_of(queue, id)
  return field(id, names.score_field) or integer(arrival_times(queue, 1))
end

-- Write the list anew in the order of the scores: what it holds now, each id once, and the ids in `fresh`.
local function rebuild(queue, fresh)
  local present = {}
  for _, id in ipairs(redis.call('LRANGE', queue.waiting, 0, -1)) do
    present[id] = true
    if not redis.call('ZSCORE', queue.scores, id) then redis.call('ZADD', queue.scores, score_of(queue, id), id) end
  end
  for _, id in ipairs(fresh) do present[id] = true end
  local ordered = {}
  for _, id in ipairs(redis.call('ZRANGE', queue.scores, 0, -1)) do
    if present[id] then ordered[#ordered + 1] = id else redis.call('ZREM', queue.scores, id) end
  end
  redis.call('DEL', queue.waiting)
  for at = 1, #ordered, 1000 do
    redis.call('RPUSH', queue.waiting, unpack(ordered, at, math.min(at + 999, #ordered)))
  end
end

-- Assign scores to ids that others pushed, such as RQ's scheduler and rq-dashboard.
local function adopt_pushed(queue)
  if redis.call('LLEN', queue.waiting) > redis.call('ZCARD', queue.scores) then rebuild(queue, {}) end
end

-- Return a job to its original position, and wake a worker for it.
local function requeue(queue, id)
  adopt_pushed(queue)
  insert(queue, id, score_of(queue, id))
  wake(queue)
end

local function is_dead_letter(queue, id)
  local status = field(id, 'status')
  return (status == 'failed' or status == 'stopped') and redis.call('ZSCORE', queue.failed, id)
end
