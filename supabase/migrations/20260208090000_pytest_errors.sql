-- pytest tests fail in ways of their own: in a fixture, or by ending their process.

alter table public.test_runs drop constraint test_runs_error_kind_check;
alter table public.test_runs add constraint test_runs_error_kind_check check (
  error_kind in (
    'not_found', 'ambiguous', 'not_actionable', 'assertion', 'navigation', 'page_crash', 'page_flood', 'fixture',
    'process_crash', 'timeout', 'cancelled', 'input', 'infrastructure'
  )
);

alter table public.test_steps drop constraint test_steps_error_kind_check;
alter table public.test_steps add constraint test_steps_error_kind_check check (
  error_kind in (
    'not_found', 'ambiguous', 'not_actionable', 'assertion', 'navigation', 'page_crash', 'page_flood', 'fixture',
    'process_crash', 'timeout', 'cancelled', 'input', 'infrastructure'
  )
);
