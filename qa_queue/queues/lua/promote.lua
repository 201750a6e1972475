-- Promote delayed jobs that are due: move them from the schedule to their positions in the queue.
--
-- include: queue
--
-- KEYS        see queue.lua; used: events, waiting, scheduled, scores, clock, wake
-- ARGV[1..2]  names, the queue's name
-- ARGV[3..5]  the largest number of jobs to move, the value of enqueued_at, the key of the lock of RQ's scheduler
-- Returns the number of jobs that left the schedule.
--
-- Invariants: the clock is the server's, whatever those of the workers say. Any number of processes may promote at once, each job moves once. A queue that RQ's own scheduler has
-- locked is left to it, because it would enqueue the same jobs.

local queue, now, most, enqueued_at, lock = queue_at(1), now_us() / 1000000, ARGV[3], ARGV[4], ARGV[5]
if redis.call('EXISTS', lock) == 1 then return 0 end
local due = redis.call('ZRANGEBYSCORE', queue.scheduled, '-inf', string.format('%.6f', now), 'LIMIT', 0, most)
for _, id in ipairs(due) do
  redis.call('ZREM', queue.scheduled, id)
  if redis.call('EXISTS', job_key(id)) == 1 then
    redis.call('HSET', job_key(id), 'status', 'queued', 'enqueued_at', enqueued_at)
    requeue(queue, id)
    publish('waiting', queue, id)
  end
end
return #due
