-- Count the running workers of a queue, and the jobs that they can run at once.
--
-- KEYS[1]  RQ's set of the keys of the queue's workers; those that died are in it until RQ's maintenance
-- ARGV[1]  the field of a worker's hash with the number of its slots; RQ's own workers have one slot
-- Returns {workers, slots}. A worker runs while its key exists, which its heartbeats keep from expiring.

local workers, slots = 0, 0
for _, worker in ipairs(redis.call('SMEMBERS', KEYS[1])) do
  if redis.call('EXISTS', worker) == 1 then
    workers = workers + 1
    slots = slots + (redis.call('HGET', worker, ARGV[1]) or 1)
  end
end
return {workers, slots}
