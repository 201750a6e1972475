-- Runs that are requeued from the dead letters, and runs that belong together.

alter table public.test_runs
  add column requeues integer not null default 0 check (requeues >= 0),
  add column batch_id uuid;
comment on column public.test_runs.requeues is 'How often the run was requeued after it had ended as a dead letter.';
comment on column public.test_runs.batch_id is 'The batch that the run was submitted with.';

create index test_runs_by_batch on public.test_runs (batch_id, queued_at, id) where batch_id is not null;

create or replace function public.keep_ended_run() returns trigger
language plpgsql set search_path = '' as $$
begin
  -- The one way back: a requeue, which counts itself. Only the next count is taken, so of two requeues of one end
  -- the second does nothing, and a worker that was thought dead, which knows no count, cannot revive a run.
  if old.status in ('dead', 'failed', 'timed_out') and new.status = 'queued'
    and new.requeues = old.requeues + 1 then
    new.updated_at := now();
    return new;
  end if;
  -- A worker that was thought dead may still report: its word comes too late, all of it.
  if old.status not in ('queued', 'running') and new.status <> old.status then
    return old;
  end if;
  new.requeues := greatest(new.requeues, old.requeues);
  new.updated_at := now();
  return new;
end
$$;
comment on function public.keep_ended_run() is 'Drops an update that would change the status of a run that has ended, unless it is its requeue.';
