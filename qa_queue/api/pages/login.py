"""Login to the pages, by a link that works once or with a token, and logout.

Opening a link only shows a button: whatever opens links before people do (mail filters, previews) must not use it
up. The button's POST does. A login on loopback happens under a random host name (see `qa_queue.auth.logins`).
"""

from __future__ import annotations

from http import HTTPStatus
from urllib.parse import parse_qs

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from qa_queue.api.auth import COOKIE, host_name, local_path, needs_own_host
from qa_queue.api.dependencies import Service, Templates
from qa_queue.api.errors import RefusedError
from qa_queue.auth.logins import FREE_FAILURES, SESSION_S, FailureLimiter, new_host
from qa_queue.auth.tokens import Identity, Role, id_of
from qa_queue.services import Backend
from qa_queue.store.audit import AuditKind

MAX_FORM = 16_384  # bytes
MAX_FIELDS = 10
_WRONG = {
    "ticket": "This link was used already, or is older than an hour: `qa-queue token link` makes a new one.",
    "token": "This token is not known, or has expired: `qa-queue token create` makes a new one.",
}


routes = APIRouter(include_in_schema=False)


@routes.get("/login", response_class=HTMLResponse)
def show_login(templates: Templates, request: Request, ticket: str = "", next: str = "/") -> Response:
    """Show the login page, under a host name of its own."""
    if needs_own_host(_host(request)):
        return _to_own_host(request)
    page = {"ticket": ticket, "next": local_path(next), "wrong": ""}
    return templates.TemplateResponse(request, "login.html", page)


@routes.post("/login")
async def log_in(backend: Service, templates: Templates, request: Request) -> Response:
    """Open a session for a valid ticket or token."""
    if needs_own_host(_host(request)):
        return _to_own_host(request)
    form = _form(await request.body())
    session = await run_in_threadpool(_opened, backend, form, _host(request), _address(request))
    if session is None:
        page = {"ticket": "", "next": local_path(form.get("next", "/")), "wrong": _wrong(form)}
        status, headers = HTTPStatus.FORBIDDEN, {}
        failures: FailureLimiter = request.app.state.login_failures
        wait = failures.failed(*(keys := _keys(request, form)))
        if failures.count(*keys) <= FREE_FAILURES + 1:  # so that guesses do not fill the audit log
            await run_in_threadpool(_note_refusal, backend, form, _address(request))
        if wait:
            page["wrong"] = f"Too many failed logins: try again in {wait} s. {page['wrong']}"
            status, headers = HTTPStatus.TOO_MANY_REQUESTS, {"Retry-After": str(wait)}
        return templates.TemplateResponse(request, "login.html", page, status_code=status, headers=headers)
    response = RedirectResponse(local_path(form.get("next", "/")), HTTPStatus.SEE_OTHER)
    secure = request.url.scheme == "https"
    response.set_cookie(COOKIE, session, max_age=SESSION_S, httponly=True, samesite="strict", secure=secure)
    return response


@routes.post("/logout")
def log_out(backend: Service, request: Request) -> Response:
    """Close the session."""
    session = request.cookies.get(COOKIE, "")
    if (identity := backend.logins.find(session, _host(request))) is not None:
        caller = identity.model_copy(update={"address": _address(request)})
        with backend.audit.change(caller, AuditKind.LOGIN_CLOSE, "login"):
            backend.logins.close(session)
    response = RedirectResponse("/login", HTTPStatus.SEE_OTHER)
    response.delete_cookie(COOKIE)
    return response


def _host(request: Request) -> str:
    return host_name(request.headers.get("host", ""))


def _to_own_host(request: Request) -> Response:
    """Redirect to the same page under a host name that no other site of this machine has."""
    own = request.url.replace(hostname=new_host())
    return RedirectResponse(str(own), HTTPStatus.SEE_OTHER)


def _opened(backend: Backend, form: dict[str, str], host: str, address: str | None) -> str | None:
    """Return a new session, if the ticket or the token is valid."""
    logins = backend.logins
    if ticket := form.get("ticket"):
        session = logins.redeem(ticket, host)
    else:
        known = backend.tokens.identify(form.get("token", "").strip())
        session = logins.open(known, host) if known else None
    if session is not None and (identity := logins.find(session, host)) is not None:
        caller = identity.model_copy(update={"address": address})
        backend.audit.note(caller, AuditKind.LOGIN_OPEN, "login", way=_way(form))
    return session


def _note_refusal(backend: Backend, form: dict[str, str], address: str | None) -> None:
    stranger = Identity(
        name="unknown", role=Role.READ, token_id=id_of(form.get("token", "")) or None, address=address
    )
    backend.audit.note(stranger, AuditKind.LOGIN_REFUSE, "login", way=_way(form))


def _address(request: Request) -> str | None:
    return request.client.host if request.client else None


def _keys(request: Request, form: dict[str, str]) -> tuple[str, str]:
    return f"address:{_address(request) or ''}", f"token:{id_of(form.get('token', ''))}"


def _way(form: dict[str, str]) -> str:
    return "ticket" if form.get("ticket") else "token"


def _wrong(form: dict[str, str]) -> str:
    return _WRONG[_way(form)]


def _form(body: bytes) -> dict[str, str]:
    """Return the fields of a form.

    Raises:
        RefusedError: it is not the form of the login page.
    """
    if len(body) > MAX_FORM:
        raise RefusedError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"The form has more than {MAX_FORM} bytes.")
    try:
        fields = parse_qs(body.decode("utf-8", "replace"), max_num_fields=MAX_FIELDS)
    except ValueError as error:
        raise RefusedError(HTTPStatus.UNPROCESSABLE_ENTITY, f"The form cannot be used: {error}.") from None
    return {name: values[0] for name, values in fields.items()}
