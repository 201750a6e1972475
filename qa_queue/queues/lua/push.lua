-- Push a job that is saved already to its position in the queue, or to the front.
--
-- include: queue
--
-- KEYS        see queue.lua; used: events, waiting, scores, clock, wake
-- ARGV[1..2]  names, the queue's name
-- ARGV[3..4]  id, 1 for the front or 0
-- Returns 1.

local queue, id = queue_at(1), ARGV[3]
adopt_pushed(queue)
local score = score_of(queue, id)
if ARGV[4] == '1' then
  local first = redis.call('ZRANGE', queue.scores, 0, 0, 'WITHSCORES')[2]
  if first then score = integer(math.min(tonumber(score), tonumber(first) - 1)) end
end
insert(queue, id, score)
wake(queue)
publish('waiting', queue, id)
return 1
