-- Generated values, rows of data, and what steps have to say.

alter table public.test_runs add column seed text;
alter table public.test_runs add column data_row jsonb;
alter table public.test_runs add column notes text[] not null default '{}';
comment on column public.test_runs.seed is 'The seed of generated values; another run with it generates the same ones.';
comment on column public.test_runs.data_row is 'The row of data of the run: {"name": ..., "values": {...}}.';
comment on column public.test_runs.notes is 'Sentences about what happened in the run, for its reports.';

alter table public.test_steps add column notes text[] not null default '{}';
comment on column public.test_steps.notes is 'Sentences about what happened in the step.';
