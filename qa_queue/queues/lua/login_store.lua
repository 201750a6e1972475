-- Store the state of a login and release its lease.
--
-- KEYS[1]  the state, see login_claim.lua
-- KEYS[2]  the lease
-- ARGV[1]  the fence of the run that created the state
-- ARGV[2]  the encrypted state
-- ARGV[3]  the time of its creation, in ms since 1970
-- ARGV[4]  ms until the state expires
-- Returns 1, or 0 where the run does not have the lease any more; nothing is stored then.

if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[1], KEYS[2])
redis.call('HSET', KEYS[1], 'fence', ARGV[1], 'sealed', ARGV[2], 'created_ms', ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return 1
