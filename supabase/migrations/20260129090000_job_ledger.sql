-- Jobs as they were submitted, so that they can be enqueued again when Redis has lost them.

create table public.job_ledger (
  id uuid primary key,
  queue text not null,
  last_id uuid not null,
  position integer not null check (position >= 0),
  spec jsonb not null check (jsonb_typeof(spec) = 'object'),
  claim text,
  submitted_at timestamptz not null,
  ended_at timestamptz
);
comment on table public.job_ledger is 'Jobs as they were submitted, by the id of the job; written before the rows of their runs.';
comment on column public.job_ledger.last_id is 'Last job of the submission, whose row in test_runs is written last.';
comment on column public.job_ledger.position is 'Place of the job in its submission, from 0.';
comment on column public.job_ledger.spec is 'Payload, priority, attempts, due time, limits and claim; secrets are unresolved.';
comment on column public.job_ledger.claim is 'Key of the idempotency claim.';
comment on column public.job_ledger.ended_at is 'End of a job without a row in test_runs; null while it has not ended.';

create index job_ledger_by_claim on public.job_ledger (claim) where claim is not null;
create index job_ledger_by_time on public.job_ledger (submitted_at, id);

create function public.forget_job() returns trigger
language plpgsql set search_path = '' as $$
begin
  delete from public.job_ledger where id = old.id;
  return null;
end
$$;
comment on function public.forget_job() is 'Deletes the job of a run that is deleted.';

create trigger forget_job after delete on public.test_runs
for each row execute function public.forget_job();

alter table public.job_ledger enable row level security;

revoke all on public.job_ledger from anon, authenticated;
grant select, insert, update, delete on public.job_ledger to service_role;
