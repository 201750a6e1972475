-- Enqueue new jobs, or delay them until they are due: all of them, or none.
--
-- include: queue
--
-- KEYS        see queue.lua; used: events, queues, waiting, scheduled, scores, clock, wake
-- ARGV[1..2]  names, the queue's name
-- ARGV[3..]   for each job:
--               id
--               offset of its priority score from its time of arrival, in us
--               created_at
--               time at which it is due, in us, or ""
--               time of its arrival in us, or "" for now
--               key of its idempotency claim, its pending value, its final value, seconds to keep it; "" for no claim
--               number of the strings that follow, which are fields and values of its hash
-- Keys derived here: the hash and the claim of each job.
--
-- Returns {"known", ids} or {"unclaimed", ids}: ids of which another job exists, or whose claim another submission
-- holds. Without such ids everything was enqueued, else nothing was written.
--
-- Invariants: a job with the same id and created_at is the same call, repeated because its reply was lost, and is left
-- alone. A claim becomes final in the step that enqueues its job, so a final claim always has a job.

local ARGUMENTS = 10  -- of a job, before its fields and values
local ONE_BY_ONE = 16  -- inserting one job takes time in proportion to the list; for more, one rebuild is cheaper

local queue = queue_at(1)
local known, unclaimed, fresh, at = {}, {}, {}, 3
while at <= #ARGV do
  local id, created_at, claim, pending, final = ARGV[at], ARGV[at + 2], ARGV[at + 5], ARGV[at + 6], ARGV[at + 7]
  local holder = claim ~= '' and redis.call('GET', claim)
  if claim ~= '' and holder ~= pending and holder ~= final then
    unclaimed[#unclaimed + 1] = id
  elseif redis.call('EXISTS', job_key(id)) == 0 then
    fresh[#fresh + 1] = at
  elseif redis.call('HGET', job_key(id), 'created_at') ~= created_at then
    known[#known + 1] = id
  end
  at = at + ARGUMENTS + tonumber(ARGV[at + 9])
end
if #unclaimed > 0 then return {'unclaimed', unclaimed} end
if #known > 0 or #fresh == 0 then return {'known', known} end

redis.call('SADD', QUEUES, queue.waiting)
adopt_pushed(queue)
local rebuilt = #fresh > ONE_BY_ONE and {}
local arrival = arrival_times(queue, #fresh)
for nth, start in ipairs(fresh) do
  local id, offset, due, claim = ARGV[start], tonumber(ARGV[start + 1]), ARGV[start + 3], ARGV[start + 5]
  local came = due ~= '' and tonumber(due) or tonumber(ARGV[start + 4]) or arrival + nth - 1
  local score = integer(came + offset)
  local first, last = start + ARGUMENTS, start + ARGUMENTS - 1 + tonumber(ARGV[start + 9])
  redis.call('HSET', job_key(id), names.score_field, score, unpack(ARGV, first, last))
  if claim ~= '' then redis.call('SET', claim, ARGV[start + 7], 'EX', ARGV[start + 8]) end
  if due ~= '' then
    redis.call('ZADD', queue.scheduled, string.format('%.3f', due / 1000000), id)
    publish('delayed', queue, id)
  else
    if rebuilt then
      redis.call('ZADD', queue.scores, score, id)
      rebuilt[#rebuilt + 1] = id
    else
      insert(queue, id, score)
    end
    publish('waiting', queue, id)
  end
end
if rebuilt then rebuild(queue, rebuilt) end
wake(queue)
return {'known', known}
