-- Start a reserved job: remove it from the intermediate list and run the commands that register its execution.
--
-- KEYS[1]   the intermediate list of its queue
-- ARGV[1]   the job's id
-- ARGV[2..] for each command, the number of its words and the words
-- Keys derived here: those of the commands, which RQ makes.
-- Returns the replies of the commands; false when the job was no longer in the list, and nothing was written.
--
-- Invariant: of a worker that was frozen with a reserved job and the one that has the job now, one starts it.

if redis.call('LREM', KEYS[1], 1, ARGV[1]) == 0 then return false end
local replies, at = {}, 2
while at <= #ARGV do
  local words = tonumber(ARGV[at])
  local reply = redis.call(unpack(ARGV, at + 1, at + words))
  replies[#replies + 1] = type(reply) == 'table' and (reply.ok or 'OK') or reply
  at = at + words + 1
end
return replies
