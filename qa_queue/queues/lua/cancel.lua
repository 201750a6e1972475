-- Cancel jobs of one queue: a waiting or delayed job leaves it, a job that a worker has is signalled to stop.
--
-- include: queue
--
-- KEYS        see queue.lua; used: waiting, scheduled, canceled, scores, parked
-- ARGV[1..2]  names, the queue's name
-- ARGV[3]     seconds to keep the cancelled job, its claim and the signal
-- ARGV[4..]   ids
-- Keys derived here: the hash, the claim and the cancellation signal of each job.
-- Returns for each id: "removed", "signalled", "already_finished" or "unknown".
--
-- Invariant: dequeue.lua moves an id out of the list in one step too. So the job is either still there and leaves, or
-- a worker has it and is signalled.

local OPEN = {queued = true, scheduled = true, started = true}

local queue, now, keep = queue_at(1), tonumber(redis.call('TIME')[1]), ARGV[3]

local function cancel(id)
  local status = redis.call('HGET', job_key(id), 'status')
  if not status then return 'unknown' end
  if not OPEN[status] then return 'already_finished' end
  local removed = redis.call('LREM', queue.waiting, 1, id) + redis.call('ZREM', queue.scheduled, id)
    + redis.call('ZREM', queue.parked, id)
  redis.call('ZREM', queue.scores, id)
  if removed == 0 then
    redis.call('SET', names.cancel .. id, '1', 'EX', keep)
    return 'signalled'
  end
  redis.call('HSET', job_key(id), 'status', 'canceled')
  local claim = field(id, names.claim_field)
  if claim then redis.call('EXPIRE', claim, keep) end
  expire_job(id, keep)
  redis.call('ZADD', queue.canceled, now, id)
  return 'removed'
end

local outcomes = {}
for at = 4, #ARGV do outcomes[#outcomes + 1] = cancel(ARGV[at]) end
redis.call('ZREMRANGEBYSCORE', queue.canceled, '-inf', now - keep)  -- RQ itself keeps them forever
return outcomes
