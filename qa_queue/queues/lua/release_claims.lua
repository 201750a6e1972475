-- Release idempotency claims of jobs that were not submitted.
--
-- KEYS  the claims, see claim.lua
-- ARGV  for each claim, the id of the job that holds it; a claim that another job holds is left alone

for at, key in ipairs(KEYS) do
  if (redis.call('GET', key) or ''):match('^%a+|([^|]*)|') == ARGV[at] then redis.call('DEL', key) end
end
