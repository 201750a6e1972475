-- The audit log: one row for each change to the service. Rows are added and read, never changed; old ones expire.

create table public.audit_log (
  id uuid primary key,
  happened_at timestamptz not null,
  actor text not null,
  token_id text,
  address text,
  kind text not null,
  object text not null,
  outcome text not null check (outcome in ('done', 'failed', 'unknown')),
  before jsonb check (jsonb_typeof(before) = 'object'),
  after jsonb check (jsonb_typeof(after) = 'object'),
  error text
);
comment on table public.audit_log is 'Changes to the service: who made which, when, from which address. Append-only.';
comment on column public.audit_log.actor is 'Name of the token or login, or cli:USER@HOST.';
comment on column public.audit_log.outcome is 'failed: a part of the service failed, and the change may be made in part; unknown: the process ended meanwhile.';
comment on column public.audit_log.before is 'State before the change, in short and without secrets.';

create index audit_log_by_time on public.audit_log (happened_at, id);

create function public.keep_audit_log() returns trigger
language plpgsql set search_path = '' as $$
begin
  if tg_op = 'DELETE' and old.happened_at < now() - interval '30 days' then
    return old;
  end if;
  raise exception 'audit_log is append-only: rows of the last 30 days stay, and none is changed' using errcode = '23514';
end
$$;
comment on function public.keep_audit_log() is 'Refuses changes of the audit log, also by those who may write the table.';

create trigger keep_audit_log before update or delete on public.audit_log
for each row execute function public.keep_audit_log();

create function public.expire_audit_log(keep_days integer) returns table (id uuid)
language sql security definer set search_path = '' as $$
  delete from public.audit_log where happened_at < now() - make_interval(days => greatest(keep_days, 30)) returning id
$$;
comment on function public.expire_audit_log(integer) is 'Deletes rows that are older than this many days, at least 30.';

alter table public.audit_log enable row level security;

revoke all on public.audit_log from anon, authenticated, service_role;
grant select, insert on public.audit_log to service_role;
revoke all on function public.expire_audit_log(integer) from public, anon, authenticated;
grant execute on function public.expire_audit_log(integer) to service_role;
