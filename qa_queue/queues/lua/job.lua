-- Shared: the hash of a job, and everything that is kept for a job beside it.
--
-- ARGV[1]  names as JSON (NAMES in keys.py): prefixes of the keys that scripts derive from ids, fields of a job's hash
--
-- Keys derived here: the job's hash, its dependents, its results, its failed attempts.

local names = cjson.decode(ARGV[1])

local function job_key(id) return names.job .. id end

-- A field of a job's hash; false if it is missing, or if the key does not hold a hash.
local function field(id, name)
  local value = redis.pcall('HGET', job_key(id), name)
  return type(value) == 'string' and value
end

local REQUEUE_S = 20  -- for which a requeue may reserve a dead letter

-- Whether a requeue has reserved a dead letter and has not moved it yet.
local function is_being_requeued(id)
  local since = field(id, names.requeuing_field)
  return since and redis.call('TIME')[1] - since < REQUEUE_S
end

-- Delete a job and everything that is kept for it. Scripts delete jobs here only, so that no key is forgotten.
local function delete_job(id)
  local key = job_key(id)
  redis.call('DEL', key, key .. ':dependents', names.results .. id, names.attempts .. id)
end

-- Let a job, and what is kept for it, expire in this number of seconds.
local function expire_job(id, seconds)
  for _, key in ipairs({job_key(id), names.attempts .. id}) do redis.call('EXPIRE', key, seconds) end
end
