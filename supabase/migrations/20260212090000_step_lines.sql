-- The lines of steps in their files: of the cases, and of the steps that ran.

alter table public.test_cases add column step_lines jsonb not null default '{}';
comment on column public.test_cases.step_lines is 'The lines of the steps in their files, by flow; {"": [...]} is the case itself. Not part of the definition.';

alter table public.test_steps add column source text;
comment on column public.test_steps.source is 'The place of the step in its file, as checkout.yaml:14; null where it is unknown.';
