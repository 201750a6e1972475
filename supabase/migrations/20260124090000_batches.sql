-- Batches as a list with the counts of their runs, so that clients need not read all runs.

create view public.test_batches with (security_invoker = true) as
select
  batch_id as id,
  min(queued_at) as queued_at,
  case when bool_and(status not in ('queued', 'running')) then max(finished_at) end as finished_at,
  count(*) as total,
  count(*) filter (where flaky) as flaky,
  count(*) filter (where status = 'queued') as queued,
  count(*) filter (where status = 'running') as running,
  count(*) filter (where status = 'completed') as completed,
  count(*) filter (where status = 'adapted') as adapted,
  count(*) filter (where status = 'failed') as failed,
  count(*) filter (where status = 'timed_out') as timed_out,
  count(*) filter (where status = 'cancelled') as cancelled,
  count(*) filter (where status = 'dead') as dead
from public.test_runs
where batch_id is not null
group by batch_id;
comment on view public.test_batches is 'Runs that were submitted together, counted by their status; read with the reader''s own rights.';

revoke all on public.test_batches from anon, authenticated;
grant select on public.test_batches to authenticated, service_role;
