-- Record that a job started, or that an attempt of it ended, with everything that follows from it.
--
-- include: queue
-- include: limits
--
-- KEYS        see queue.lua; used: events, counts, wake, limited, durations
-- ARGV[1..2]  names, the queue's name
-- ARGV[3..5]  id, event, data of the event as JSON
-- ARGV[6]     duration of the job in ms, or ""; it counts for the mean duration
-- ARGV[7..8]  of a job that has ended, the seconds to keep its idempotency claim and its failed attempts, or ""
-- ARGV[9]     field of `counts` to increment by 1, or ""
-- ARGV[10..]  of a job that has ended, for metrics and alerts: its duration in ms, the field of `counts` to increment
--             by 1, the field to increment by the duration, `<queue>|<outcome>`, seconds to keep the outcomes
-- Keys derived here: the job's claim and failed attempts, the hash of the outcomes of this minute.
--
-- The mean duration is that of all jobs at first, then a moving one to which each new job contributes a tenth.

local MEAN_OF = 10

local queue, id, event, data, ran_ms = queue_at(1), ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local keep_claim, keep_attempts, counter = ARGV[7], ARGV[8], ARGV[9]
publish(event, queue, id, data)
if event == 'active' then return end

free_limits(queue, id)
local claim = keep_claim ~= '' and field(id, names.claim_field)
if claim then redis.call('EXPIRE', claim, keep_claim) end
if keep_attempts ~= '' then redis.call('EXPIRE', names.attempts .. id, keep_attempts) end
if ran_ms ~= '' then
  local count = redis.call('HINCRBY', queue.durations, 'count', 1)
  local mean = tonumber(redis.call('HGET', queue.durations, 'mean_ms') or 0)
  redis.call('HSET', queue.durations, 'mean_ms', mean + (ran_ms - mean) / math.min(count, MEAN_OF))
end
if counter ~= '' then redis.call('HINCRBY', COUNTS, counter, 1) end
if ARGV[10] then
  redis.call('HINCRBY', COUNTS, ARGV[11], 1)
  redis.call('HINCRBY', COUNTS, ARGV[12], ARGV[10])
  local minute = names.outcomes .. integer(math.floor(redis.call('TIME')[1] / 60))
  redis.call('HINCRBY', minute, ARGV[13], 1)
  redis.call('EXPIRE', minute, ARGV[14])
end
