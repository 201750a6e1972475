-- Forget the outcome of a job that is stored in the database now.
--
-- KEYS[1]     hash of the outcomes that are not stored yet, by job id
-- ARGV[1..2]  the job's id, the outcome as it was stored; a later outcome of the same job is kept
-- Returns 1; 0 when there was no such outcome.

if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end
return redis.call('HDEL', KEYS[1], ARGV[1])
