-- The tables of qa-queue: cases, runs, steps, artifacts, adaptations and what is known of locators.
-- Valid on hosted Supabase (Postgres 15 and later) and on Supabase Lite's pglite driver.
-- Only the service role writes. Signed-in users may read. Strangers see nothing.

-- Tables ---------------------------------------------------------------------------------------------------

create table public.test_cases (
  id uuid primary key,
  key text not null unique,
  name text not null check (name <> ''),
  source text,
  definition jsonb not null check (jsonb_typeof(definition) = 'object'),
  content_hash text not null,
  version integer not null default 1 check (version >= 1),
  tags text[] not null default '{}',
  reliability_score double precision check (reliability_score between 0 and 1),
  flake_rate double precision check (flake_rate between 0 and 1),
  runs_learned integer not null default 0 check (runs_learned >= 0),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
comment on table public.test_cases is 'Tests as written; version counts the changes of the definition.';
comment on column public.test_cases.content_hash is 'SHA-256 of the definition; another hash is another version.';
comment on column public.test_cases.reliability_score is 'Share of runs that ended well, recent ones weigh more; 0..1.';
comment on column public.test_cases.flake_rate is 'Share of runs that passed only on a retry, recent ones weigh more; 0..1.';
comment on column public.test_cases.updated_at is 'When the definition last changed.';

create table public.test_runs (
  id uuid primary key,
  test_case_id uuid not null references public.test_cases (id) on delete cascade,
  case_version integer not null default 1 check (case_version >= 1),
  job_id text,
  user_id text,
  status text not null default 'queued' check (
    status in ('queued', 'running', 'completed', 'adapted', 'failed', 'timed_out', 'cancelled', 'dead')
  ),
  priority integer not null default 5,
  attempt integer not null default 0 check (attempt >= 0),
  flaky boolean not null default false,
  total_steps integer not null default 0 check (total_steps >= 0),
  completed_steps integer not null default 0 check (completed_steps >= 0),
  failed_steps integer not null default 0 check (failed_steps >= 0),
  adapted_steps integer not null default 0 check (adapted_steps >= 0),
  error text,
  error_kind text check (
    error_kind in (
      'not_found', 'ambiguous', 'not_actionable', 'assertion', 'navigation', 'page_crash', 'timeout',
      'cancelled', 'input', 'infrastructure'
    )
  ),
  config jsonb not null default '{}' check (jsonb_typeof(config) = 'object'),
  base_url text,
  worker text,
  queued_at timestamptz not null default now(),
  started_at timestamptz,
  finished_at timestamptz,
  waiting_ms bigint check (waiting_ms >= 0),
  starting_ms bigint check (starting_ms >= 0),
  running_ms bigint check (running_ms >= 0),
  updated_at timestamptz not null default now()
);
comment on table public.test_runs is 'One execution of a case. A run that has ended keeps its status for good.';
comment on column public.test_runs.attempt is 'Attempt of the job that carries the run; 0 until the first one starts.';
comment on column public.test_runs.waiting_ms is 'Time in the queue.';
comment on column public.test_runs.starting_ms is 'Time until the browser was ready.';
comment on column public.test_runs.running_ms is 'Time of the steps.';

create table public.test_steps (
  id uuid primary key,
  test_run_id uuid not null references public.test_runs (id) on delete cascade,
  attempt integer not null check (attempt >= 1),
  number integer not null check (number >= 1),
  step_key text not null,
  action text not null,
  name text not null,
  target jsonb,
  status text not null check (status in ('passed', 'adapted', 'failed', 'skipped')),
  started_at timestamptz not null,
  duration_ms bigint not null check (duration_ms >= 0),
  error text,
  error_kind text check (
    error_kind in (
      'not_found', 'ambiguous', 'not_actionable', 'assertion', 'navigation', 'page_crash', 'timeout',
      'cancelled', 'input', 'infrastructure'
    )
  ),
  locator jsonb,
  matches jsonb,
  unique (test_run_id, attempt, number)
);
comment on table public.test_steps is 'One action or assertion in an attempt of a run.';
comment on column public.test_steps.locator is 'The target that found the element.';
comment on column public.test_steps.matches is 'For each alternative of the target: how many elements it matched, and whether it was the same one.';

create table public.test_artifacts (
  id uuid primary key,
  test_run_id uuid not null references public.test_runs (id) on delete cascade,
  attempt integer not null check (attempt >= 1),
  step_number integer check (step_number >= 1),
  kind text not null check (kind in ('screenshot', 'trace', 'console', 'video', 'har', 'report')),
  name text not null,
  path text not null,
  content_type text not null,
  size_bytes bigint not null check (size_bytes >= 0),
  sha256 text not null,
  created_at timestamptz not null default now(),
  unique (test_run_id, attempt, name)
);
comment on table public.test_artifacts is 'A file that a run left behind; path is relative to the artifacts folder.';

create table public.adaptations (
  id uuid primary key,
  test_run_id uuid not null references public.test_runs (id) on delete cascade,
  test_case_id uuid not null references public.test_cases (id) on delete cascade,
  attempt integer not null check (attempt >= 1),
  step_number integer not null check (step_number >= 1),
  step_key text not null,
  reason text not null check (reason in ('fallback', 'learned', 'healed')),
  old_target jsonb not null,
  new_target jsonb not null,
  score double precision,
  margin double precision,
  runner_up jsonb,
  status text not null default 'applied' check (status in ('applied', 'suggested', 'accepted', 'rejected')),
  judged_by text,
  judged_at timestamptz,
  created_at timestamptz not null default now(),
  unique (test_run_id, attempt, step_number)
);
comment on table public.adaptations is 'A step that found its element by another way than its target says, and what people said of it.';

create table public.locator_patterns (
  id uuid primary key,
  test_case_id uuid not null references public.test_cases (id) on delete cascade,
  step_key text not null,
  locator jsonb not null,
  tried integer not null check (tried >= 0),
  matched integer not null check (matched between 0 and tried),
  confidence double precision not null check (confidence between 0 and 1),
  last_seen_at timestamptz
);
comment on table public.locator_patterns is 'How one locator of one step has done, counted from finished runs.';
comment on column public.locator_patterns.confidence is 'Wilson lower bound of matched of tried at 95 %.';

-- Indexes: one for every question that is asked; the unique constraints serve the others ------------------------

create index test_runs_by_queued on public.test_runs (queued_at, id);
create index test_runs_by_case on public.test_runs (test_case_id, queued_at, id);
create index test_runs_by_status on public.test_runs (status, queued_at, id);
create index test_runs_by_finished on public.test_runs (finished_at) where finished_at is not null;
create index adaptations_by_case on public.adaptations (test_case_id);
create index locator_patterns_by_case on public.locator_patterns (test_case_id);

-- Promises that hold for every writer, however many there are at once ----------------------------------------

create function public.keep_ended_run() returns trigger
language plpgsql set search_path = '' as $$
begin
  -- A worker that was thought dead may still report: its word comes too late, all of it.
  if old.status not in ('queued', 'running') and new.status <> old.status then
    return old;
  end if;
  new.updated_at := now();
  return new;
end
$$;
comment on function public.keep_ended_run() is 'Drops an update that would change the status of a run that has ended.';

create trigger keep_ended_run before update on public.test_runs
for each row execute function public.keep_ended_run();

create function public.count_case_version() returns trigger
language plpgsql set search_path = '' as $$
begin
  if new.content_hash = old.content_hash then
    -- The same definition, saved again or learned about: what the case says stays as it is.
    new.key := old.key;
    new.name := old.name;
    new.source := old.source;
    new.definition := old.definition;
    new.tags := old.tags;
    new.version := old.version;
    new.updated_at := old.updated_at;
  else
    new.version := old.version + 1;
    new.updated_at := now();
  end if;
  new.created_at := old.created_at;
  return new;
end
$$;
comment on function public.count_case_version() is 'Counts a new version where, and only where, the content hash differs.';

create trigger count_case_version before update on public.test_cases
for each row execute function public.count_case_version();

-- Access -----------------------------------------------------------------------------------------------------

alter table public.test_cases enable row level security;
alter table public.test_runs enable row level security;
alter table public.test_steps enable row level security;
alter table public.test_artifacts enable row level security;
alter table public.adaptations enable row level security;
alter table public.locator_patterns enable row level security;

create policy "Signed-in users read cases" on public.test_cases for select to authenticated using (true);
create policy "Signed-in users read runs" on public.test_runs for select to authenticated using (true);
create policy "Signed-in users read steps" on public.test_steps for select to authenticated using (true);
create policy "Signed-in users read artifacts" on public.test_artifacts for select to authenticated using (true);
create policy "Signed-in users read adaptations" on public.adaptations for select to authenticated using (true);
create policy "Signed-in users read patterns" on public.locator_patterns for select to authenticated using (true);

-- Projects differ in what new tables grant by default, so it is said here.
revoke all on
  public.test_cases, public.test_runs, public.test_steps, public.test_artifacts, public.adaptations,
  public.locator_patterns
from anon, authenticated;
grant select on
  public.test_cases, public.test_runs, public.test_steps, public.test_artifacts, public.adaptations,
  public.locator_patterns
to authenticated;
grant select, insert, update, delete on
  public.test_cases, public.test_runs, public.test_steps, public.test_artifacts, public.adaptations,
  public.locator_patterns
to service_role;

-- Realtime, where the server has it ----------------------------------------------------------------------------

do $$
begin
  if exists (select from pg_catalog.pg_publication where pubname = 'supabase_realtime' and not puballtables) then
    alter publication supabase_realtime add table public.test_runs, public.test_steps;
  end if;
end
$$;
