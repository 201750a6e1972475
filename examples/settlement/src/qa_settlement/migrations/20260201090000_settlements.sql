-- The ledger of settlements: one entry for a key, which never changes.

create table public.settlements (
  id uuid primary key default gen_random_uuid(),
  idempotency_key text not null unique check (length(idempotency_key) between 1 and 255),
  user_id text not null,
  place_id text not null,
  mission_id text not null,
  amount_minor bigint not null check (amount_minor between 1 and 999999999999999),
  metadata jsonb not null default '{}',
  job_id text not null,
  posted_at timestamptz not null default now()
);
comment on table public.settlements is 'Settlements, posted by the queue "settlement" exactly once for a key.';
comment on column public.settlements.amount_minor is 'In hundredths; less than 2^53, so that every JSON reader keeps it exact.';
comment on column public.settlements.job_id is 'The job that posted it.';

create index settlements_by_user on public.settlements (user_id, posted_at);

create function public.refuse_settlement_change() returns trigger
language plpgsql set search_path = '' as $$
begin
  raise exception 'an entry of the ledger cannot be changed: post a correction';
end
$$;
comment on function public.refuse_settlement_change() is 'Keeps the ledger append-only.';

create trigger refuse_settlement_change before update or delete on public.settlements
for each row execute function public.refuse_settlement_change();

alter table public.settlements enable row level security;

revoke all on public.settlements from anon, authenticated, service_role;
grant select, insert on public.settlements to service_role;
