-- A run asks for what every case knows of the steps of its flows.

create index fingerprints_by_step on public.fingerprints (step_key);
create index locator_patterns_by_step on public.locator_patterns (step_key);
create index locator_verdicts_by_step on public.locator_verdicts (step_key);
