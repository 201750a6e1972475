-- A schedule starts nothing once the token of the caller who last set it is no longer valid.

alter table public.schedules add column token_id text;
comment on column public.schedules.token_id is 'Id of the token that last set the schedule; null for the command line, and for schedules made before.';
