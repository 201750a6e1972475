-- A run that another worker has taken over is not written over by its first owner.

alter table public.test_runs add column fence integer not null default 0 check (fence >= 0);
comment on column public.test_runs.fence is 'The latest execution of the job that wrote here; an earlier one is refused. 0: none yet.';

create function public.refuse_outrun_worker() returns trigger
language plpgsql set search_path = '' as $$
begin
  if new.requeues > old.requeues then
    new.fence := 0;  -- a new life, whose executions may count from 1 again
  elsif new.fence between 1 and old.fence - 1 then
    return old;
  end if;
  return new;
end
$$;
comment on function public.refuse_outrun_worker() is 'Drops an update by an execution that a later one has followed.';

-- Triggers of one event run in the order of their names: this one after keep_ended_run.
create trigger refuse_outrun_worker before update on public.test_runs
for each row execute function public.refuse_outrun_worker();
