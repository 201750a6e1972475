-- Write a progress report of a run.
--
-- KEYS[1]    the run's job
-- KEYS[2]    stream of the run's reports
-- KEYS[3]    stream of the events of all queues
-- KEYS[4]    hash of counters for metrics
-- ARGV[1]    the report as JSON
-- ARGV[2]    the summary for the job's meta as JSON
-- ARGV[3]    the job's id
-- ARGV[4..6] maximum length of the run's stream, seconds to keep it, maximum length of the event stream
-- ARGV[7..]  of a report on a step: its duration in ms, the field of counters to increment by 1, the field to increment
--            by the duration
-- Returns the id of the report in the run's stream.
--
-- Invariant: a job that was deleted does not get a hash again. RQ could not read it, and one unreadable hash stops
-- every RQ worker that reads it.

if redis.call('EXISTS', KEYS[1]) == 1 then
  local read, meta = pcall(cjson.decode, redis.call('HGET', KEYS[1], 'meta') or '{}')
  if not read or type(meta) ~= 'table' then meta = {} end
  meta.progress = cjson.decode(ARGV[2])
  redis.call('HSET', KEYS[1], 'meta', cjson.encode(meta))
end
local id = redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[4], '*', 'event', ARGV[1])
redis.call('EXPIRE', KEYS[2], ARGV[5])
local queue = redis.call('HGET', KEYS[1], 'origin')
if queue then
  redis.call('XADD', KEYS[3], 'MAXLEN', '~', ARGV[6], '*', 'event', 'progress', 'queue', queue, 'job', ARGV[3], 'data',
    ARGV[1])
end
if ARGV[7] then
  redis.call('HINCRBY', KEYS[4], ARGV[8], 1)
  redis.call('HINCRBY', KEYS[4], ARGV[9], ARGV[7])
end
return id
