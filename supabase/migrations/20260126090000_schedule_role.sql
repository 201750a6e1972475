-- A schedule starts only what the caller who last set it may start. Schedules made before count as an administrator's.

alter table public.schedules
  add column role text not null default 'admin' check (role in ('read', 'run', 'admin'));
alter table public.schedules alter column role set default 'run';
comment on column public.schedules.role is 'Role of the caller who last set the schedule; it starts only what this role may start.';
