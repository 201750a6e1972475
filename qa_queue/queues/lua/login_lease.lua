-- Renew or release the lease of a run that creates the state of a login.
--
-- KEYS[1]  the lease, see login_claim.lua
-- ARGV[1]  the fence of the run
-- ARGV[2]  ms until the lease expires; 0 releases it
-- Returns 1, or 0 where the run does not have the lease any more; that of its successor is left alone.

if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1
