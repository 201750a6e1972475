-- Discard a dead letter: delete the job and everything that is kept for it.
--
-- include: queue
--
-- KEYS        see queue.lua; used: failed
-- ARGV[1..2]  names, the queue's name
-- ARGV[3]     id
-- Returns 1; 0 when the job is not a dead letter.

local queue, id = queue_at(1), ARGV[3]
if not is_dead_letter(queue, id) then return 0 end
redis.call('ZREM', queue.failed, id)
delete_job(id)
return 1
