-- Release a reserved job that was not started: return it to its position in the queue.
--
-- include: queue
-- include: limits
--
-- KEYS        see queue.lua; used: waiting, intermediate, scores, clock, wake, limited
-- ARGV[1..2]  names, the queue's name
-- ARGV[3]     id
-- Returns 1; 0 when the job was no longer in the intermediate list, so that of two releases the second does nothing.

local queue, id = queue_at(1), ARGV[3]
if redis.call('LREM', queue.intermediate, 1, id) == 0 then return 0 end
requeue(queue, id)
free_limits(queue, id)
return 1
