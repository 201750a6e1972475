"""Signing in and out, and the account's page."""

from __future__ import annotations

import hmac

from examples.shop.markup import join, money, render, when
from examples.shop.views.layout import page
from examples.shop.web import Request, Response, redirect

USER = "ann"


def login_form(request: Request) -> Response:
    return redirect("/account") if request.session.user else page(request, "Sign in", _form("", refused=False))


def login(request: Request) -> Response:
    name = request.form.get("username", "").strip()
    known = hmac.compare_digest(request.form.get("password", "").encode(), request.password.encode())
    if name.casefold() != USER or not known:
        return page(request, "Sign in", _form(name, refused=True), status=401)
    request.session.user = USER.title()
    return redirect("/account")


def logout(request: Request) -> Response:
    request.session.user = None
    request.session.notice = "You are signed out."
    return redirect("/login")


def show(request: Request) -> Response:
    session = request.session
    if not session.user:
        session.notice = "Please sign in first."
        return redirect("/login")
    rows = join(render("order_row.html", number=o.number, total=money(o.total)) for o in session.orders.values())
    body = render("account.html", user=session.user, orders=rows or render("no_orders.html"))
    return page(request, "Your account", body)


def _form(username: str, *, refused: bool) -> str:
    return render("login.html", username=username, error=when(refused, "login_error.html"))
