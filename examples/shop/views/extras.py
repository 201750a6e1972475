"""Receipts (an upload), today's roasts (slow on purpose) and the newsletter."""

from __future__ import annotations

from examples.shop.markup import join, render
from examples.shop.orders import valid_email
from examples.shop.session import Receipt
from examples.shop.views.layout import page
from examples.shop.web import Request, Response, as_json, redirect

MAX_DELAY_MS = 15_000
_DEFAULT_DELAY_MS = 1500
_ROASTS = (
    ("House Espresso", "drum 1", "07:30"),
    ("Ethiopia Sidamo", "drum 2", "08:15"),
    ("Decaf Peru", "drum 1", "09:00"),
)


def receipts(request: Request) -> Response:
    files = request.session.receipts
    rows = join(render("receipt_row.html", name=file.name, size=_size(file.size)) for file in reversed(files))
    return page(request, "Collect beans", render("receipts.html", rows=rows or render("no_receipts.html")))


def upload(request: Request) -> Response:
    file = request.files.get("receipt")
    if file is None:
        request.session.notice = "Choose a file first."
    else:
        request.session.receipts.append(Receipt(file.name, file.size))
        request.session.notice = f"We received {file.name} ({_size(file.size)})."
    return redirect("/receipts")


def roasts(request: Request) -> Response:
    return page(request, "Today's roasts", render("roasts.html", ms=_delay(request)))


def roast_list(request: Request) -> Response:
    rows = [{"name": name, "drum": drum, "time": time} for name, drum, time in _ROASTS]
    return as_json(rows, delay_ms=_delay(request))


def subscribe(request: Request) -> Response:
    email = request.form.get("email", "").strip()
    if not valid_email(email):
        return as_json({"message": "Enter an email address like ann@example.org."}, status=422)
    return as_json({"message": f"Thank you. We write to {email} once a month."})


def _delay(request: Request) -> int:
    text = request.query.get("ms", "")
    return min(int(text[:6]), MAX_DELAY_MS) if text.isascii() and text.isdigit() else _DEFAULT_DELAY_MS


def _size(size: int) -> str:
    return f"{size} bytes" if size < 1024 else f"{size / 1024:.1f} KB"
