-- Several services may use one project: each restores only the jobs that were submitted to it.

alter table public.job_ledger add column instance text not null default '';
comment on column public.job_ledger.instance is 'Service to which the job was submitted, QA_INSTANCE; empty where it has no name.';
