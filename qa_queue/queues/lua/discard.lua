-- Discard a dead letter: delete the job and everything that is kept for it.
--
-- include: queue
--
-- KEYS        see queue.lua; used: failed
-- ARGV[1..2]  names, the queue's name
-- ARGV[3]     id
-- Returns 1; 0 when the job is not a dead letter, or is being requeued. An id whose job is gone is a dead letter.

local queue, id = queue_at(1), ARGV[3]
local gone = redis.call('EXISTS', job_key(id)) == 0 and redis.call('ZSCORE', queue.failed, id)
if not gone and not is_dead_letter(queue, id) or is_being_requeued(id) then return 0 end
redis.call('ZREM', queue.failed, id)
delete_job(id)
return 1
