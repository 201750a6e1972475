-- Pause a queue, or resume it and wake a blocked worker.
--
-- include: queue
--
-- KEYS        see queue.lua; used: paused, wake
-- ARGV[1..2]  names, the queue's name
-- ARGV[3]     1 to pause, 0 to resume
-- Returns 1 when this changed the queue, else 0.

local queue = queue_at(1)
if ARGV[3] == '1' then return redis.call('SADD', PAUSED, queue.name) end
wake(queue)
return redis.call('SREM', PAUSED, queue.name)
