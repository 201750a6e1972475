"""Authentication and authorization of HTTP requests: origin, caller and role."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from ipaddress import ip_address
from urllib.parse import quote, urlsplit

from redis.exceptions import RedisError
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from qa_queue.api.errors import RefusedError, headers_of, problem_of, respond
from qa_queue.api.http_limits import ConcurrencyLimit, ConcurrencyLimiter, RateLimiter
from qa_queue.auth.logins import PAGES_DOMAIN
from qa_queue.auth.tokens import Identity, Role
from qa_queue.errors import QAError, RedisUnavailableError
from qa_queue.redis import address_of, explain
from qa_queue.services import Backend

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
LOOPBACK_NAMES = ("127.0.0.1", "localhost", "[::1]")
TRUSTED_HOSTS = (*LOOPBACK_NAMES, PAGES_DOMAIN, f"*.{PAGES_DOMAIN}")
COOKIE = "qa_session"
LOCAL = Identity(name="local", role=Role.ADMIN)
API = ("/api/", "/metrics")
_CHECKS = ("/cases/validate", "/cases/import")  # they cost CPU and store nothing
_PUBLIC = (
    "/static/",
    "/trace-viewer/",
    "/health/",
    "/login",
    "/api/v1/files/",  # the ticket in the path is the permission
    "/api/v1/openapi.json",
    "/api/openapi.json",
)
_FORWARDED = frozenset({"forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via"})


def is_local(client: str, headers: Mapping[str, str]) -> bool:
    """Return whether the request comes from this machine under a name of loopback, and not through a proxy."""
    try:
        loopback = ip_address(client).is_loopback
    except ValueError:
        return False
    forwarded = set(headers.keys()) & _FORWARDED
    return loopback and is_loopback_name(host_name(headers.get("host", ""))) and not forwarded


def is_loopback_name(host: str) -> bool:
    """Return whether a host name, without a port, always means the machine itself."""
    return host in LOOPBACK_NAMES or host == PAGES_DOMAIN or host.endswith(f".{PAGES_DOMAIN}")


def needs_own_host(host: str) -> bool:
    """Return whether a login under this host name would share its cookie with other sites of this machine."""
    return host in LOOPBACK_NAMES or host == PAGES_DOMAIN


def host_name(host: str) -> str:
    """Return the name in a Host header in lower case, without its port."""
    name = host[: host.index("]") + 1] if host.startswith("[") and "]" in host else host.partition(":")[0]
    return name.lower()


def is_cross_site(headers: Mapping[str, str]) -> bool:
    """Return whether the page of another site made a browser send the request.

    `Sec-Fetch-Site` tells where a browser sends it, else `Origin`, which every browser sends with a POST. A request
    with neither comes from a program that is not a browser.
    """
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site not in ("same-origin", "none")
    origin = headers.get("origin")
    return origin is not None and urlsplit(origin).netloc != headers.get("host", "")


def local_path(path: str) -> str:
    """Return a path of the service's own to continue at after a login; `/` for anything that leads elsewhere."""
    parts = urlsplit(path)
    safe = path.startswith("/") and not path.startswith(("//", "/\\")) and not parts.netloc and path.isprintable()
    return path if safe else "/"


def is_api(path: str) -> bool:
    """Return whether programs request this path, so that errors are problem documents and not pages."""
    return path.startswith(API) or path.startswith("/health/")


class AuthMiddleware:
    """Lets a request pass when its caller is known; only public paths are open to everyone.

    It runs before routing and before the body is read, so a stranger learns nothing, not even which paths exist.
    """

    def __init__(
        self,
        app: ASGIApp,
        backend: Backend,
        limiter: RateLimiter,
        checks: RateLimiter,
        concurrency: ConcurrencyLimiter,
    ) -> None:
        self._app = app
        self._backend = backend
        self._limiter = limiter
        self._checks = checks
        self._concurrency = concurrency

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        refusal = await self._refusal(scope)
        if refusal is not None:
            await refusal(scope, receive, send)
            return
        identity: Identity | None = scope.get("state", {}).get("identity")
        with self._concurrency.request(_caller(identity) if identity else "", scope["path"]) as exceeded:
            await (_busy(exceeded) if exceeded else self._app)(scope, receive, send)

    async def _refusal(self, scope: Scope) -> Response | None:
        path: str = scope["path"]
        try:
            await run_in_threadpool(self._check, scope, Headers(scope=scope))
        except RefusedError as error:
            if error.status is HTTPStatus.UNAUTHORIZED and scope["method"] == "GET" and not is_api(path):
                return RedirectResponse(f"/login?next={quote(path)}", HTTPStatus.SEE_OTHER)
            return respond(problem_of(error), headers_of(error))
        except RedisError as error:
            unavailable = RedisUnavailableError(explain(error, address_of(self._backend.redis)))
            return respond(problem_of(unavailable), headers_of(unavailable))
        except QAError as error:
            return respond(problem_of(error), headers_of(error))
        return None

    def _check(self, scope: Scope, headers: Headers) -> None:
        client = scope["client"][0] if scope.get("client") else ""
        by_token = headers.get("authorization", "").lower().startswith("bearer ")
        if scope["method"] not in SAFE_METHODS and not by_token and is_cross_site(headers):
            raise RefusedError(HTTPStatus.FORBIDDEN, "Another site's page sent this request: nothing was done.")
        if "\0" in scope["path"] or b"%00" in scope["query_string"]:
            raise RefusedError(
                HTTPStatus.UNPROCESSABLE_ENTITY, "The address contains a NUL character: leave it out."
            )
        if scope["path"].startswith(_PUBLIC):
            return
        identity = self._identity(client, headers)
        if identity is None:
            self._count(f"client:{client}")
            raise _unknown()
        if is_api(scope["path"]):
            caller = _caller(identity)
            self._count(caller)
            if scope["path"].endswith(_CHECKS):
                self._count(caller, self._checks, "QA_API_CHECKS_PER_MINUTE")
        scope.setdefault("state", {})["identity"] = identity.model_copy(update={"address": client or None})

    def _identity(self, client: str, headers: Headers) -> Identity | None:
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return self._backend.tokens.identify(token.strip())
        session = _cookie_of(headers)
        found = self._backend.logins.find(session, host_name(headers.get("host", ""))) if session else None
        if found is None and self._backend.settings.qa_api_open_on_loopback and is_local(client, headers):
            return LOCAL
        return found

    def _count(
        self, caller: str, limiter: RateLimiter | None = None, setting: str = "QA_API_REQUESTS_PER_MINUTE"
    ) -> None:
        wait = (limiter or self._limiter).wait_s(caller)
        if wait:
            detail = f"Too many requests: try again in {wait} s, or raise {setting}."
            raise RefusedError(HTTPStatus.TOO_MANY_REQUESTS, detail, {"Retry-After": str(wait)})


def _caller(identity: Identity) -> str:
    return f"{identity.token_id or 'login'}:{identity.name}"


def _busy(limit: ConcurrencyLimit) -> Response:
    """Return the answer to a request beside too many of the same caller."""
    detail = f"Too many such requests at once, at most {limit.most}: wait for one to end, or raise {limit.setting}."
    refused = RefusedError(HTTPStatus.TOO_MANY_REQUESTS, detail, {"Retry-After": str(limit.retry_after_s)})
    return respond(problem_of(refused), headers_of(refused))


def _unknown() -> RefusedError:
    return RefusedError(
        HTTPStatus.UNAUTHORIZED,
        "This needs a token that is known and has not expired: send `Authorization: Bearer TOKEN`. "
        "`qa-queue token create` makes one.",
        {"WWW-Authenticate": 'Bearer realm="qa-queue"'},
    )


def _cookie_of(headers: Headers) -> str:
    pairs = (pair.partition("=") for pair in headers.get("cookie", "").split(";"))
    return next((value.strip() for name, _, value in pairs if name.strip() == COOKIE), "")
