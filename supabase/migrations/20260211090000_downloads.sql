-- A file that a page offered for download is an artifact of its run.

alter table public.test_artifacts drop constraint test_artifacts_kind_check;
alter table public.test_artifacts add constraint test_artifacts_kind_check check (
  kind in ('screenshot', 'trace', 'console', 'video', 'har', 'report', 'download')
);
