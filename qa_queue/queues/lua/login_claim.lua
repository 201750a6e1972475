-- Claim the right to create the state of a login.
--
-- KEYS[1]  the state: hash with `fence`, `sealed` and `created_ms`
-- KEYS[2]  the lease: the fence of the run that creates the state
-- KEYS[3]  the counter of fences
-- ARGV[1]  fence of the state that the run found unusable; 0 where it found none
-- ARGV[2]  ms after which the lease expires unless it is renewed
-- ARGV[3]  ms that the counter is kept, far longer than any lease
-- Returns the fence of the claim; 0 while another run has the lease, or where it stored another state meanwhile.
--
-- Invariants: at most one run has a lease. Each lease has a larger fence than the ones before it, so a run that lost
-- its lease cannot overwrite the state of its successor.

local stored = redis.call('HGET', KEYS[1], 'fence')
if stored and stored ~= ARGV[1] then return 0 end
if redis.call('EXISTS', KEYS[2]) == 1 then return 0 end
local fence = redis.call('INCR', KEYS[3])
redis.call('PEXPIRE', KEYS[3], ARGV[3])
redis.call('SET', KEYS[2], fence, 'PX', ARGV[2])
return fence
