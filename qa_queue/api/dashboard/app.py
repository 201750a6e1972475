"""rq-dashboard's Flask blueprint in an application of ours, with what it lacks put around it.

Its files stay as they are: the names it takes from RQ are replaced by ours when the application is built, and its
pages are changed on their way from the file to the template engine.
"""

from __future__ import annotations

import json
import logging
import re
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any

import rq_dashboard.web as upstream
from flask import Flask, Response, request
from jinja2 import BaseLoader, Environment, PackageLoader
from redis.exceptions import RedisError
from rq.exceptions import InvalidJobOperation, NoSuchJobError
from rq.serializers import JSONSerializer

from qa_queue.api.dashboard.adapters import DashboardApp, JsonJob, JsonQueue, JsonWorker, Servers, requeue_job
from qa_queue.api.dashboard.guard import HEADERS, SAFE_METHODS, Login, refusal
from qa_queue.auth.logins import FailureLimiter
from qa_queue.auth.tokens import Identity, Role
from qa_queue.errors import RedisUnavailableError, SettingsError
from qa_queue.services import Backend
from qa_queue.settings import Settings
from qa_queue.store.audit import AuditKind

log = logging.getLogger(__name__)

MAX_USER = 200  # characters of a user's name that tell accounts apart
_REALM = 'Basic realm="qa-queue", charset="UTF-8"'
# `<%= x %>` puts x into the page raw, `<%- x %>` escapes it; what starts with $( has escaped on its own already.
_RAW = re.compile(r"<%=(?!\s*\$\()")


class Escaping(BaseLoader):
    """rq-dashboard's templates, with every raw value of its pages escaped."""

    def __init__(self) -> None:
        self._package = PackageLoader("rq_dashboard")

    def get_source(self, environment: Environment, template: str) -> tuple[str, str | None, Any]:
        """The template as its pages' scripts should see it."""
        source, filename, up_to_date = self._package.get_source(environment, template)
        return _RAW.sub("<%-", source), filename, up_to_date


class AnyJson(json.JSONEncoder):
    """Shows what JSON has no words for, such as a meta that cannot be read."""

    def default(self, o: Any) -> str:
        """As Python writes it."""
        return repr(o)


def build(settings: Settings, behind: Backend | None = None) -> Flask:
    """The application; see `qa_queue.api.dashboard.create_app`."""
    login = _login(settings) if behind is None else None
    backend = behind or Backend(settings)
    failures = FailureLimiter()
    servers = Servers(settings)
    _replace_upstream(servers)
    app = DashboardApp("rq_dashboard", static_folder=str(Path(upstream.__file__).parent / "static"))
    app.jinja_loader = Escaping()
    app.servers = servers
    app.config["RQ_DASHBOARD_REDIS_URL"] = servers.labels
    app.config["RQ_DASHBOARD_JSON_ENCODER"] = AnyJson
    if login is not None:
        app.before_request(lambda: _check_login(login, failures))
    app.before_request(lambda: _check_request(len(servers.labels)))
    app.after_request(_protect)
    app.after_request(partial(_record, backend))
    app.register_error_handler(NoSuchJobError, lambda _: _plain(404, "There is no such job."))
    app.register_error_handler(InvalidJobOperation, lambda _: _plain(409, "The job is not in a state for this."))
    app.register_error_handler(RedisError, _redis_failed)
    app.register_error_handler(RedisUnavailableError, _redis_failed)
    app.register_blueprint(upstream.blueprint)
    return app


def _login(settings: Settings) -> Login:
    password = settings.qa_dashboard_password
    if password is None or not password.get_secret_value():
        raise SettingsError(
            "QA_DASHBOARD_PASSWORD is not set, and the dashboard can delete jobs: set it in the environment or in "
            ".env. `qa-queue up` makes one for the embedded stack."
        )
    return Login(user=settings.qa_dashboard_user, password=password.get_secret_value())


def _replace_upstream(servers: Servers) -> None:
    """Give the blueprint's module our classes in place of RQ's, and our connections."""
    replacements = {
        "Job": JsonJob,
        "Queue": JsonQueue,
        "Worker": JsonWorker,
        "requeue_job": requeue_job,
        "from_url": lambda label, **_: (None, servers.at(label)),
    }
    for name, ours in replacements.items():
        setattr(upstream, name, ours)
    upstream.config.serializer = JSONSerializer


def _check_login(login: Login, failures: FailureLimiter) -> Response | None:
    """Refuse a request without the right login, and every login while failed ones are too many."""
    given = request.authorization
    if given is None or given.type != "basic":
        return _unauthorized()
    keys = f"address:{request.remote_addr}", f"user:{(given.username or '')[:MAX_USER]}"
    if wait := failures.wait_s(*keys):
        return _too_many(wait)
    if login.fits(given.username, given.password):
        return None
    wait = failures.failed(*keys)
    return _too_many(wait) if wait else _unauthorized()


def _unauthorized() -> Response:
    response = _plain(401, "Log in with QA_DASHBOARD_USER and QA_DASHBOARD_PASSWORD.")
    response.headers["WWW-Authenticate"] = _REALM
    return response


def _too_many(wait: int) -> Response:
    response = _plain(429, f"Too many failed logins: try again in {wait} s.")
    response.headers["Retry-After"] = str(wait)
    return response


def _check_request(servers: int) -> Response | None:
    refused = refusal(
        method=request.method,
        endpoint=request.endpoint,
        arguments=request.view_args or {},
        headers=dict(request.headers),
        host=request.host,
        servers=servers,
    )
    return _plain(*refused) if refused else None


def _protect(response: Response) -> Response:
    response.headers.update(HEADERS)
    return response


def _record(backend: Backend, response: Response) -> Response:
    """Record a change in the audit log, by its method and path."""
    if request.method not in SAFE_METHODS and response.status_code < HTTPStatus.BAD_REQUEST:
        backend.audit.note(_caller(), AuditKind.DASHBOARD, f"{request.method} {request.path}")
    return response


def _caller() -> Identity:
    """Return who is logged in to the pages in front of the dashboard, or to the dashboard itself."""
    if scope := request.environ.get("asgi.scope"):
        caller: Identity = scope["state"]["identity"]
        return caller
    user = request.authorization.username if request.authorization else "unknown"
    return Identity(name=f"dashboard:{user}", role=Role.ADMIN, address=request.remote_addr)


def _redis_failed(error: Exception) -> Response:
    log.warning("Redis cannot be reached (%s)", error)
    return _plain(503, "Redis cannot be reached.")


def _plain(status: int, text: str) -> Response:
    return Response(f"{text}\n", status, mimetype="text/plain")
