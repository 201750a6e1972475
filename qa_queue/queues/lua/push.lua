-- Push a job that is saved already to its position in the queue, to the front, or to the end, which it then keeps.
--
-- include: queue
--
-- KEYS        see queue.lua; used: events, waiting, scores, clock, wake
-- ARGV[1..2]  names, the queue's name
-- ARGV[3..4]  id, and own, front or end
-- Returns 1.

local queue, id = queue_at(1), ARGV[3]
adopt_pushed(queue)
local score = score_of(queue, id)
if ARGV[4] == 'front' then
  local first = redis.call('ZRANGE', queue.scores, 0, 0, 'WITHSCORES')[2]
  if first then score = integer(math.min(tonumber(score), tonumber(first) - 1)) end
elseif ARGV[4] == 'end' then
  local last = redis.call('ZRANGE', queue.scores, -1, -1, 'WITHSCORES')[2]
  if last then score = integer(math.max(tonumber(score), tonumber(last) + 1)) end
  redis.call('HSET', job_key(id), names.score_field, score)
end
insert(queue, id, score)
wake(queue)
publish('waiting', queue, id)
return 1
