-- A page that produces more events than a browser can handle fails its own run, with a kind of its own.

alter table public.test_runs drop constraint test_runs_error_kind_check;
alter table public.test_runs add constraint test_runs_error_kind_check check (
  error_kind in (
    'not_found', 'ambiguous', 'not_actionable', 'assertion', 'navigation', 'page_crash', 'page_flood', 'timeout',
    'cancelled', 'input', 'infrastructure'
  )
);

alter table public.test_steps drop constraint test_steps_error_kind_check;
alter table public.test_steps add constraint test_steps_error_kind_check check (
  error_kind in (
    'not_found', 'ambiguous', 'not_actionable', 'assertion', 'navigation', 'page_crash', 'page_flood', 'timeout',
    'cancelled', 'input', 'infrastructure'
  )
);
