-- Delete the jobs of a registry that ended long ago, the oldest first.
--
-- include: job
--
-- KEYS[1]     RQ's registry: ids by the time in s at which they expire or, of cancelled jobs, were cancelled
-- ARGV[1]     names
-- ARGV[2..3]  the highest score to delete, the largest number of ids to look at
-- ARGV[4..]   the statuses of the jobs to delete
-- Returns the number of ids that left the registry, and the ids of the jobs that were deleted.
--
-- Invariant: a job that runs or waits again has another status and is left alone, and so is one that is being requeued.

local statuses, deleted = {}, {}
for at = 4, #ARGV do statuses[ARGV[at]] = true end
local ids = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[2], 'LIMIT', 0, ARGV[3])
for _, id in ipairs(ids) do
  local status = field(id, 'status')
  if not is_being_requeued(id) then
    if not status or statuses[status] then
      delete_job(id)
      deleted[#deleted + 1] = id
    end
    redis.call('ZREM', KEYS[1], id)
  end
end
return {#ids, deleted}
