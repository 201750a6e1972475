-- Assign times of arrival to jobs that are being submitted, before they are recorded and enqueued.
--
-- include: queue
--
-- KEYS        see queue.lua; used: clock
-- ARGV[1..2]  names, the queue's name
-- ARGV[3]     number of jobs
-- Returns the time by the server's clock and the first of as many consecutive times of arrival, both in us as text.

local queue = queue_at(1)
return {integer(now_us()), integer(arrival_times(queue, tonumber(ARGV[3])))}
