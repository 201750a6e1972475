"""Settings for RQ's own commands: `rq info -c qa_queue.rq_config`, or RQ_CONFIG=qa_queue.rq_config.

`rq worker` with our worker class finds the same Redis without it. RQ takes the one of the two that is not None.
"""

from __future__ import annotations

from typing import Any

from qa_queue.redis.rq_options import rq_sentinel, rq_url
from qa_queue.redis.servers import main_server
from qa_queue.settings import load_settings

_server = main_server(load_settings())
REDIS_URL: str | None = rq_url(_server) if _server.sentinels is None else None
SENTINEL: dict[str, Any] | None = rq_sentinel(_server)
