-- Reserve a dead letter for a requeue, so that nothing removes it before its run is reopened.
--
-- include: queue
--
-- KEYS        see queue.lua; used: failed
-- ARGV[1..2]  names, the queue's name
-- ARGV[3..4]  id, 1 to reserve or 0 to release
-- Returns 1; 0 when the job is not a dead letter, or another requeue has reserved it.
--
-- Invariant: a reservation of a process that died lapses, see `is_being_requeued` in job.lua.

local queue, id = queue_at(1), ARGV[3]
if ARGV[4] == '0' then return redis.call('HDEL', job_key(id), names.requeuing_field) end
if not is_dead_letter(queue, id) or is_being_requeued(id) then return 0 end
redis.call('HSET', job_key(id), names.requeuing_field, redis.call('TIME')[1])
return 1
