-- The network traffic of runs, and the trace that their requests carry.

alter table public.test_runs add column network jsonb check (jsonb_typeof(network) = 'object');
comment on column public.test_runs.network is 'Requests and bytes of all tries, as the proxy counted them: {"requests": n, "received": n, "sent": n}.';

alter table public.test_runs add column trace_id text check (trace_id ~ '^[0-9a-f]{32}$');
comment on column public.test_runs.trace_id is 'W3C trace id in the traceparent header of requests to the site under test; null where the case has none.';
