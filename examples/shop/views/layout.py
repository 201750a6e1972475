"""The frame of every page, and the pages for errors."""

from __future__ import annotations

from examples.shop.catalogue import CATEGORIES
from examples.shop.markup import Html, join, render, when
from examples.shop.web import Request, Response

_ERRORS = {
    404: ("Page not found", "We looked behind the grinder too. It is not there."),
    405: ("Not like that", "This address does not take that kind of request."),
}


def page(request: Request, title: str, body: Html, *, status: int = 200) -> Response:
    """A whole page; shows the session's notice, once."""
    session = request.session
    notice = session.take_notice()
    document = render(
        "layout.html",
        title=title,
        body=body,
        query=request.query.get("q", ""),
        menu=join(render("menu_item.html", slug=slug, name=name) for slug, name in CATEGORIES.items()),
        account=render("account_in.html", user=session.user) if session.user else render("account_out.html"),
        cart_count=session.cart.count,
        cart_label=items(session.cart.count),
        notice=when(notice, "notice.html", text=notice),
    )
    return Response(body=document.encode(), status=status)


def error_page(request: Request, status: int) -> Response:
    heading, text = _ERRORS[status]
    return page(request, heading, render("error.html", heading=heading, text=text, status=status), status=status)


def items(count: int) -> str:
    """`1 item`, `2 items`."""
    return f"{count} item" if count == 1 else f"{count} items"
