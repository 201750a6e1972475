"""Settings for RQ's own commands: `rq info -c qa_queue.rq_config`, or RQ_CONFIG=qa_queue.rq_config.

`rq worker` with our worker class finds the same Redis without it.
"""

from __future__ import annotations

from qa_queue.settings import load_settings

REDIS_URL = load_settings().redis_dsn
