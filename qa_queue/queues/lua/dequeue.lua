-- Reserve the next job of several queues: move its id to the intermediate list of its queue.
--
-- include: queue
-- include: limits
--
-- KEYS        see queue.lua; used: paused, limits, waiting, intermediate, scores, clock, wake, parked, limited
-- ARGV[1]     names
-- ARGV[2..]   names of the queues, in the order in which they are served
-- Returns the number of the queue, from 1, and the job's id; false when no job may start.
--
-- Invariants: the id moves in one step, so a crash leaves it in one of the two lists. A paused queue gives no job. A
-- job that a limit refuses is parked, and delays no other.

local MAX_CHECKED = 1000  -- jobs of one call, so that Redis is not blocked for long

local now = now_us()

local function reserve(queue)
  unpark_due(queue, now)
  for _ = 1, MAX_CHECKED do
    adopt_pushed(queue)
    local first = redis.call('ZRANGE', queue.scores, 0, 0, 'WITHSCORES')
    local id, score = first[1], first[2]
    if not id then return nil end
    redis.call('ZREM', queue.scores, id)
    -- An id without a job was deleted while it waited: drop it.
    if redis.call('LREM', queue.waiting, 1, id) > 0 and redis.call('EXISTS', job_key(id)) == 1 then
      local key, next_check = refusal(id, now)
      if not key then
        count_start(id, now)
        redis.call('RPUSH', queue.intermediate, id)
        if redis.call('ZCARD', queue.scores) > 0 then wake(queue) end
        return id
      end
      park(queue, id, score, key, next_check)
    end
  end
  wake(queue)  -- limits refused all of them: continue in another call
end

for number = 1, #ARGV - 1 do
  local queue = queue_at(number)
  local id = redis.call('SISMEMBER', PAUSED, queue.name) == 0 and reserve(queue)
  if id then return {number, id} end
end
return false
