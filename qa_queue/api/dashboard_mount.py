"""rq-dashboard under `/rq/`, behind the login of the pages."""

from __future__ import annotations

import threading
from http import HTTPStatus
from typing import Any

from a2wsgi import WSGIMiddleware
from starlette.concurrency import run_in_threadpool
from starlette.types import Receive, Scope, Send

from qa_queue.api import dashboard
from qa_queue.api.dependencies import refuse_limits
from qa_queue.api.errors import RefusedError, headers_of, problem_of, respond
from qa_queue.auth.tokens import Identity, Role
from qa_queue.errors import QAError
from qa_queue.services import Backend


class MountedDashboard:
    """The dashboard as an ASGI application for administrators; built when first asked for, since it needs Redis."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._lock = threading.Lock()
        self._app: Any = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        identity: Identity = scope["state"]["identity"]
        try:
            if not identity.role.covers(Role.ADMIN):
                raise RefusedError(
                    HTTPStatus.FORBIDDEN, f"rq-dashboard is for administrators, not for {identity.role}."
                )
            refuse_limits(identity, reads=False)
            app = await run_in_threadpool(self._built)
        except QAError as error:
            await respond(problem_of(error), headers_of(error))(scope, receive, send)
            return
        await app(scope, receive, send)

    def _built(self) -> Any:
        with self._lock:
            if self._app is None:
                self._app = WSGIMiddleware(dashboard.create_app(self._backend.settings, self._backend))
            return self._app
