-- Delete the oldest jobs of registries that hold more jobs than are to be kept.
--
-- include: job
--
-- KEYS        RQ's registries: ids by the time in s at which they expire or were cancelled: the lowest scores ended first
-- ARGV[1]     names
-- ARGV[2]     the largest number of jobs to delete of each registry
-- ARGV[3..]   for each registry, the number of jobs to keep
-- Returns the number of ids that left the registries.
--
-- Invariant: a job that runs or waits again has another status and is left alone, and so is one that is being requeued.

local ENDED = {finished = true, canceled = true}

local trimmed = 0
for at, registry in ipairs(KEYS) do
  local extra = math.min(redis.call('ZCARD', registry) - tonumber(ARGV[2 + at]), tonumber(ARGV[2]))
  if extra > 0 then
    for _, id in ipairs(redis.call('ZRANGE', registry, 0, extra - 1)) do
      local status = field(id, 'status')
      if not is_being_requeued(id) then
        if not status or ENDED[status] then delete_job(id) end
        trimmed = trimmed + redis.call('ZREM', registry, id)
      end
    end
  end
end
return trimmed
