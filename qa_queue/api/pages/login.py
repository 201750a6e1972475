"""Logging in to the pages: by a link that works once, or with a token; and out again.

Opening a link only shows a button: whatever looks at links before people do (mail filters, previews) must not use
it up. The button's POST does.
"""

from __future__ import annotations

from http import HTTPStatus
from urllib.parse import parse_qs

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response
from starlette.templating import Jinja2Templates

from qa_queue.api.auth import COOKIE, local_path
from qa_queue.auth.logins import SESSION_S
from qa_queue.services import Backend

_WRONG = {
    "ticket": "This link was used already, or is older than an hour: `qa-queue token link` makes a new one.",
    "token": "This token is not known, or has expired: `qa-queue token create` makes a new one.",
}


def router(backend: Backend, templates: Jinja2Templates) -> APIRouter:
    """The login page and what its buttons do."""
    routes = APIRouter(include_in_schema=False)

    @routes.get("/login", response_class=HTMLResponse)
    def ask(request: Request, ticket: str = "", next: str = "/") -> Response:
        return templates.TemplateResponse(
            request, "login.html", {"ticket": ticket, "next": local_path(next), "wrong": ""}
        )

    @routes.post("/login")
    async def log_in(request: Request) -> Response:
        form = _form(await request.body())
        session = await run_in_threadpool(_opened, backend, form)
        if session is None:
            wrong = _WRONG["ticket" if form.get("ticket") else "token"]
            page = {"ticket": "", "next": local_path(form.get("next", "/")), "wrong": wrong}
            return templates.TemplateResponse(request, "login.html", page, status_code=HTTPStatus.FORBIDDEN)
        response = RedirectResponse(local_path(form.get("next", "/")), HTTPStatus.SEE_OTHER)
        secure = request.url.scheme == "https"
        response.set_cookie(COOKIE, session, max_age=SESSION_S, httponly=True, samesite="strict", secure=secure)
        return response

    @routes.post("/logout")
    def log_out(request: Request) -> Response:
        backend.logins.close(request.cookies.get(COOKIE, ""))
        response = RedirectResponse("/login", HTTPStatus.SEE_OTHER)
        response.delete_cookie(COOKIE)
        return response

    return routes


def _opened(backend: Backend, form: dict[str, str]) -> str | None:
    """A new session, if the ticket or the token is good."""
    if ticket := form.get("ticket"):
        return backend.logins.redeem(ticket)
    identity = backend.tokens.identify(form.get("token", "").strip())
    return backend.logins.open(identity) if identity else None


def _form(body: bytes) -> dict[str, str]:
    fields = parse_qs(body.decode("utf-8", "replace"), max_num_fields=10)
    return {name: values[0] for name, values in fields.items()}
