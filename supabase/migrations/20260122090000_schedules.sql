-- Schedules: what is started at set times. The scheduler's own columns stand behind those that people set.

create table public.schedules (
  id uuid primary key,
  name text not null unique check (name <> ''),
  queue text not null default 'test-execution',
  cases uuid[] not null default '{}',
  tag text,
  data jsonb not null default '{}' check (jsonb_typeof(data) = 'object'),
  cron text,
  every text,
  time_zone text not null default 'UTC',
  start_at timestamptz,
  end_at timestamptz,
  max_runs integer check (max_runs >= 1),
  overlap text not null default 'skip' check (overlap in ('skip', 'allow', 'replace')),
  missed text not null default 'skip' check (missed in ('skip', 'once', 'all')),
  grace_s integer not null default 60 check (grace_s >= 1),
  jitter_s integer not null default 0 check (jitter_s >= 0),
  priority text not null default 'normal' check (priority in ('low', 'normal', 'high', 'urgent')),
  attempts integer check (attempts >= 1),
  env jsonb not null default '{}' check (jsonb_typeof(env) = 'object'),
  base_url text,
  config jsonb not null default '{}' check (jsonb_typeof(config) = 'object'),
  paused boolean not null default false,
  revision integer not null default 1 check (revision >= 1),
  anchor_at timestamptz not null,
  next_fire_at timestamptz,
  next_run_at timestamptz,
  pending jsonb not null default '[]' check (jsonb_typeof(pending) = 'array'),
  fired integer not null default 0 check (fired >= 0),
  skipped integer not null default 0 check (skipped >= 0),
  missed_runs integer not null default 0 check (missed_runs >= 0),
  last_fire_at timestamptz,
  last_batch_id uuid,
  last_run_id text,
  last_error text,
  created_by text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  check ((cron is null) <> (every is null))
);
comment on table public.schedules is 'What is started at set times, and how far that has come.';
comment on column public.schedules.cases is 'Cases that are run as one batch; empty where a tag chooses them or another queue is meant.';
comment on column public.schedules.tag is 'All cases that bear this tag when the time comes.';
comment on column public.schedules.data is 'The payload of a job of another queue.';
comment on column public.schedules.env is 'Values of ${env.NAME}; never secrets, which workers have in their own environment.';
comment on column public.schedules.revision is 'Counts the changes of the row; who changes it names the one it has read.';
comment on column public.schedules.anchor_at is 'Intervals are counted from here.';
comment on column public.schedules.next_fire_at is 'The first moment of which nothing was decided yet, without jitter.';
comment on column public.schedules.next_run_at is 'When a scheduler is to look at the row next; null where nothing is to come.';
comment on column public.schedules.pending is 'Moments whose start was decided and not yet confirmed.';

create index schedules_by_next_run on public.schedules (next_run_at) where next_run_at is not null;

alter table public.schedules enable row level security;

create policy "Signed-in users read schedules" on public.schedules for select to authenticated using (true);

revoke all on public.schedules from anon, authenticated;
grant select on public.schedules to authenticated;
grant select, insert, update, delete on public.schedules to service_role;
