-- Runs that no cleanup deletes, and files that are deleted before their run.

alter table public.test_runs add column pinned boolean not null default false;
comment on column public.test_runs.pinned is 'No cleanup deletes the run or its files.';

create index test_artifacts_by_kind on public.test_artifacts (kind, created_at, id);
