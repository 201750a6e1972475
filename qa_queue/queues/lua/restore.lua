-- Restore jobs that Redis has lost: create those that do not exist, and enqueue those that are in no place.
--
-- include: queue
--
-- KEYS        see queue.lua; used: events, queues, waiting, intermediate, scheduled, scores, clock, wake, parked
-- ARGV[1..2]  names, the queue's name
-- ARGV[3]     key of RQ's registry of running executions
-- ARGV[4..]   for each job:
--               id, priority score, time at which it is due in s or ""
--               key of its idempotency claim, its final value, seconds to keep it; "" for no claim
--               number of the strings that follow, which are fields and values of its hash
-- Keys derived here: the hash and the claim of each job.
-- Returns the ids that were restored.
--
-- Invariants: a job that has not ended is in one place afterwards, however many processes restore it. A job that has
-- ended, waits or runs is left alone. An id that waits without its hash has its old position again.

local ARGUMENTS = 7  -- of a job, before its fields and values
local OPEN = {queued = true, scheduled = true, started = true, deferred = true}

local queue, started = queue_at(1), ARGV[3]
redis.call('SADD', QUEUES, queue.waiting)
adopt_pushed(queue)

local waits, placed, reordered = {}, {}, false
for _, id in ipairs(redis.call('LRANGE', queue.waiting, 0, -1)) do waits[id], placed[id] = true, true end
for _, id in ipairs(redis.call('LRANGE', queue.intermediate, 0, -1)) do placed[id] = true end
for _, entry in ipairs(redis.call('ZRANGE', started, 0, -1)) do placed[entry:match('^[^:]*')] = true end

local function has_place(id)
  return placed[id] or redis.call('ZSCORE', queue.scheduled, id) or redis.call('ZSCORE', queue.parked, id)
end

-- A claim of a submitter that died before it enqueued its jobs is still pending.
local function finish_claim(claim, final, keep)
  local held = redis.call('GET', claim)
  if not held or held == (final:gsub('^final', 'pending')) then redis.call('SET', claim, final, 'EX', keep) end
end

local restored, at = {}, 4
while at <= #ARGV do
  local id, score, due, claim = ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3]
  local last = at + ARGUMENTS - 1 + tonumber(ARGV[at + 6])
  local status = field(id, 'status')
  if not status then
    redis.call('DEL', job_key(id))  -- what a late heartbeat left
    redis.call('HSET', job_key(id), names.score_field, score, unpack(ARGV, at + ARGUMENTS, last))
    if waits[id] then
      redis.call('ZADD', queue.scores, score, id)
      reordered = true
      restored[#restored + 1] = id
    end
  end
  if (not status or OPEN[status]) and not has_place(id) then
    if claim ~= '' then finish_claim(claim, ARGV[at + 4], ARGV[at + 5]) end
    redis.call('PERSIST', job_key(id))
    redis.call('HSET', job_key(id), 'status', due == '' and 'queued' or 'scheduled')
    if due == '' then
      insert(queue, id, score_of(queue, id))
    else
      redis.call('ZADD', queue.scheduled, due, id)
    end
    publish(due == '' and 'waiting' or 'delayed', queue, id)
    placed[id] = true
    restored[#restored + 1] = id
  end
  at = last + 1
end
if reordered then rebuild(queue, {}) end
wake(queue)
return restored
