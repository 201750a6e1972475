-- Claim idempotency keys for jobs that are being submitted: all of them, or none.
--
-- KEYS      the claims; the value of each is "<state>|<job id>|<digest>", with the state pending or final
-- ARGV[1]   seconds after which a pending claim expires
-- ARGV[2..] for each claim, the id of the job that wants it and the digest of the job's content
-- Returns {"ok", ids of the jobs that hold the claims}, {"busy"} while another submission holds one of them as
-- pending, or {"conflict", number of a claim that is final for other content}.
--
-- Invariants: of any number of racing submissions, one holds a claim. A claim of a submitter that died expires.

local holders = {}
for at, key in ipairs(KEYS) do
  local own, digest = ARGV[2 * at], ARGV[2 * at + 1]
  local state, holder, held = (redis.call('GET', key) or ''):match('^(%a+)|([^|]*)|(.*)$')
  if state == 'pending' and holder ~= own then return {'busy'} end
  if state == 'final' and held ~= digest then return {'conflict', at} end
  holders[at] = holder or own
end
for at, key in ipairs(KEYS) do
  local own = ARGV[2 * at]
  if holders[at] == own and redis.call('EXISTS', key) == 0 then
    redis.call('SET', key, 'pending|' .. own .. '|' .. ARGV[2 * at + 1], 'EX', ARGV[1])
  end
end
return {'ok', holders}
