-- What elements looked like when a step last passed on them, how steps were healed, and what people said of it.

create table public.fingerprints (
  id uuid primary key,
  test_case_id uuid not null references public.test_cases (id) on delete cascade,
  step_key text not null,
  target_hash text not null,
  content_hash text not null,
  document jsonb not null check (jsonb_typeof(document) = 'object'),
  page text not null default '',
  healed jsonb,
  seen_at timestamptz not null default now(),
  unique (test_case_id, step_key)
);
comment on table public.fingerprints is 'What the element of a step looked like when the step last passed on it.';
comment on column public.fingerprints.target_hash is 'SHA-256 of the target as written; a case that names another element needs another fingerprint.';
comment on column public.fingerprints.content_hash is 'SHA-256 of the document; the row is written when it changes.';
comment on column public.fingerprints.page is 'Path of the page that the element was on.';
comment on column public.fingerprints.healed is 'The locator that a heal found it by and what it looked like then, where that run ended well.';

-- A verdict outlives the run that it was passed on.
create table public.locator_verdicts (
  id uuid primary key,
  test_case_id uuid not null references public.test_cases (id) on delete cascade,
  step_key text not null,
  locator jsonb not null check (jsonb_typeof(locator) = 'object'),
  verdict text not null check (verdict in ('accepted', 'rejected')),
  judged_by text,
  judged_at timestamptz not null default now()
);
comment on table public.locator_verdicts is 'What people said of a locator for a step; a rejected one is never used for it again.';

create index locator_verdicts_by_case on public.locator_verdicts (test_case_id);

alter table public.locator_patterns add column learned boolean not null default false;
comment on column public.locator_patterns.learned is 'Whether a heal found this locator; else the case names it.';

alter table public.adaptations add column evidence jsonb;
comment on column public.adaptations.evidence is 'For a heal: the properties that spoke for and against, and both fingerprints.';
alter table public.adaptations drop constraint adaptations_status_check;
alter table public.adaptations add constraint adaptations_status_check
check (status in ('applied', 'suggested', 'proposed', 'accepted', 'rejected'));
create index adaptations_by_time on public.adaptations (created_at, id);

alter table public.fingerprints enable row level security;
alter table public.locator_verdicts enable row level security;

create policy "Signed-in users read fingerprints" on public.fingerprints for select to authenticated using (true);
create policy "Signed-in users read verdicts" on public.locator_verdicts for select to authenticated using (true);

revoke all on public.fingerprints, public.locator_verdicts from anon, authenticated;
grant select on public.fingerprints, public.locator_verdicts to authenticated;
grant select, insert, update, delete on public.fingerprints, public.locator_verdicts to service_role;
