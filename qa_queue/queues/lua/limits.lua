-- Shared: limits on the number of running jobs and of starts a minute.
--
-- A rule is in the hash `limits` under its key (`site:shop.example`), or under its kind and a star (`site:*`) for all
-- keys of that kind without one of their own. Its text is "<running>:<starts a minute>"; either number may be empty.
-- A key of the kind `lock` without a rule has one of one running job.
-- A job's own limit keys are a field of its hash, one on each line.
--
-- A job that a rule refuses is parked beside the list, so that it does not delay the jobs behind it: once in `parked`
-- and once in `parked:<limit key>` of the rule that refused it. `limited` has the time of the next check of that key.
--
-- Keys derived here: the set of running ids and the sorted set of recent starts of each limit key, the intermediate
-- list of the queue that a running job came from.
--
-- Invariant: only jobs that a worker really has count as running. Each check verifies them against RQ's state, so a
-- worker that died, whatever it left behind, holds no limit.

local MINUTE_US, RECHECK_US = 60000000, 1000000

local function limit_keys(id) return (field(id, names.limits_field) or ''):gmatch('[^\n]+') end

-- The two numbers of the rule of a key; nil where there is none.
local function rule_of(key)
  local rule = redis.call('HGET', LIMITS, key) or redis.call('HGET', LIMITS, (key:match('^[^:]*:') or '') .. '*')
  if not rule then return key:match('^lock:') and 1 or nil, nil end
  local running, starts = rule:match('^(%d*):(%d*)$')
  return tonumber(running), tonumber(starts)
end

local function is_running(id)
  if field(id, 'status') == 'started' then return true end
  local origin = field(id, 'origin')
  return origin and redis.call('LPOS', (names.intermediate:gsub('{}', function() return origin end)), id)
end

-- The number of jobs of a key that workers have. Ids of jobs that have ended or were released are removed.
local function count_running(key)
  local count = 0
  for _, id in ipairs(redis.call('SMEMBERS', names.running .. key)) do
    if is_running(id) then count = count + 1 else redis.call('SREM', names.running .. key, id) end
  end
  return count
end

-- The limit key that refuses a job now, and the time of the next check; nil when the job may start.
local function refusal(id, now)
  for key in limit_keys(id) do
    local max_running, max_starts = rule_of(key)
    if max_running and count_running(key) >= max_running then return key, now + RECHECK_US end
    if max_starts then
      local starts = names.starts .. key
      redis.call('ZREMRANGEBYSCORE', starts, '-inf', integer(now - MINUTE_US))
      if redis.call('ZCARD', starts) >= max_starts then
        return key, redis.call('ZRANGE', starts, 0, 0, 'WITHSCORES')[2] + MINUTE_US
      end
    end
  end
end

-- Count the start of a job against its limits.
local function count_start(id, now)
  for key in limit_keys(id) do
    local max_running, max_starts = rule_of(key)
    if max_running then redis.call('SADD', names.running .. key, id) end
    if max_starts then
      redis.call('ZADD', names.starts .. key, integer(now), id .. ':' .. integer(now))
      redis.call('PEXPIRE', names.starts .. key, MINUTE_US / 1000 + 1000)
    end
  end
end

local function park(queue, id, score, key, next_check)
  redis.call('ZADD', queue.parked, score, id)
  redis.call('ZADD', queue.parked .. ':' .. key, score, id)
  redis.call('ZADD', queue.limited, integer(next_check), key)
end

-- Return the first parked job of each limit key whose check is due to its position in the list.
local function unpark_due(queue, now)
  for _, key in ipairs(redis.call('ZRANGEBYSCORE', queue.limited, '-inf', integer(now))) do
    local first = redis.call('ZPOPMIN', queue.parked .. ':' .. key)
    if not first[1] then
      redis.call('ZREM', queue.limited, key)
    elseif redis.call('ZREM', queue.parked, first[1]) == 1 then
      adopt_pushed(queue)
      insert(queue, first[1], first[2])
    end
  end
end

-- Stop counting a job as running, and check its limit keys at once for jobs that may start now.
local function free_limits(queue, id)
  for key in limit_keys(id) do
    redis.call('SREM', names.running .. key, id)
    redis.call('ZADD', queue.limited, 'XX', 0, key)
    if redis.call('EXISTS', queue.limited) == 1 then wake(queue) end
  end
end
