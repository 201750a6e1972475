-- Steps inside groups, flows and loops: their place, and the names of what is around them.

alter table public.test_steps add column position text;
alter table public.test_steps add column parents text[] not null default '{}';
comment on column public.test_steps.position is 'The place in the tree of steps, as 3, 3.2 or 4[1].2; null in rows of older versions.';
comment on column public.test_steps.parents is 'The names of the groups around the step, outermost first.';
