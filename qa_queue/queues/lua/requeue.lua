-- Requeue a dead letter with all its attempts: return it to its position in the queue.
--
-- include: queue
--
-- KEYS        see queue.lua; used: events, waiting, failed, scores, clock, wake
-- ARGV[1..2]  names, the queue's name
-- ARGV[3..4]  id, the value of enqueued_at
-- Keys derived here: the job's hash, its cancellation signal.
-- Returns 1; 0 when the job is not a dead letter or cannot be read, so that of two requeues the second does nothing.

local queue, id = queue_at(1), ARGV[3]
if not is_dead_letter(queue, id) or field(id, names.raw_field) then return 0 end
local job, intervals = job_key(id), field(id, 'retry_intervals')
redis.call('ZREM', queue.failed, id)
redis.call('HSET', job, 'status', 'queued', 'enqueued_at', ARGV[4], 'retries_left',
  intervals and #cjson.decode(intervals) or 0)
redis.call('HDEL', job, 'exc_info', 'ended_at', names.requeuing_field)
redis.call('HINCRBY', job, names.requeues_field, 1)
redis.call('PERSIST', job)
redis.call('DEL', names.cancel .. id)
requeue(queue, id)
publish('waiting', queue, id)
return 1
