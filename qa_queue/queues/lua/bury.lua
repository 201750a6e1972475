-- Bury a reserved job whose hash cannot be read: replace the hash by one that RQ can read, as a dead letter.
--
-- include: queue
--
-- KEYS        see queue.lua; used: events, intermediate, failed
-- ARGV[1..2]  names, the queue's name
-- ARGV[3..4]  id, seconds to keep the dead letter
-- ARGV[5..]   fields and values of the new hash
-- Returns 1; 0 when the job was no longer in the intermediate list, so that of two calls the second does nothing.

local queue, id = queue_at(1), ARGV[3]
if redis.call('LREM', queue.intermediate, 1, id) == 0 then return 0 end
redis.call('DEL', job_key(id))  -- whatever its type is
redis.call('HSET', job_key(id), unpack(ARGV, 5))
redis.call('EXPIRE', job_key(id), ARGV[4])
redis.call('ZADD', queue.failed, redis.call('TIME')[1] + ARGV[4], id)
publish('dead', queue, id, '{"error": "the job cannot be read"}')
return 1
