-- Renew idempotency claims of jobs that are still being submitted.
--
-- KEYS     the claims, see claim.lua
-- ARGV[1]  seconds after which a pending claim expires
-- ARGV[2..] for each claim, its pending value
--
-- Invariant: a claim that is final or that another submission holds is left alone; one that expired is taken again.

for at, key in ipairs(KEYS) do
  local held = redis.call('GET', key)
  if not held or held == ARGV[at + 1] then redis.call('SET', key, ARGV[at + 1], 'EX', ARGV[1]) end
end
