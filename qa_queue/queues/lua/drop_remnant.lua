-- Delete what a heartbeat made of a job that was deleted or lost: a hash of one field.
--
-- KEYS[1]  the job's hash
-- Returns 1 when it was deleted.

if redis.call('HLEN', KEYS[1]) > 1 then return 0 end
return redis.call('DEL', KEYS[1])
