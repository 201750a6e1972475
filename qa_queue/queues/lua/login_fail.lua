-- Record that a run could not create the state of a login, and release its lease.
--
-- KEYS[1]  the lease, see login_claim.lua
-- KEYS[2]  the failure: for the runs that have waited for the state
-- ARGV[1]  the fence of the run
-- ARGV[2]  the failure, encrypted
-- ARGV[3]  ms until the failure expires
-- Returns 1, or 0 where the run does not have the lease any more; nothing is recorded then.

if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[1])
redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3])
return 1
