"""Checkout and the confirmation of an order."""

from __future__ import annotations

import secrets
from collections.abc import Mapping

from examples.shop import orders
from examples.shop.cart import Cart, Line
from examples.shop.markup import Html, flag, join, money, render, when
from examples.shop.orders import DELIVERIES, PAYMENTS
from examples.shop.views.layout import error_page, page
from examples.shop.web import Request, Response, redirect

_TEXT_FIELDS = (
    ("name", "Full name", "text", "name"),
    ("email", "Email", "email", "email"),
    ("address", "Street and number", "text", "street-address"),
    ("postcode", "Postcode", "text", "postal-code"),
)
_DEFAULTS = {"delivery": "standard"}


def show(request: Request) -> Response:
    if not request.session.cart.lines:
        return redirect("/cart")
    return page(request, "Checkout", _form(request.session.cart, _DEFAULTS, {}))


def submit(request: Request) -> Response:
    session = request.session
    if not session.cart.lines:
        return redirect("/cart")
    wrong = orders.problems(request.form)
    if wrong:
        return page(request, "Checkout", _form(session.cart, request.form, wrong), status=422)
    order = orders.place(f"MB-{secrets.randbelow(900_000) + 100_000}", request.form, session.cart)
    session.orders[order.number] = order
    session.cart = Cart()
    return redirect(f"/order/{order.number}")


def confirmation(request: Request, number: str) -> Response:
    order = request.session.orders.get(number)
    if order is None:
        return error_page(request, 404)
    body = render(
        "confirmation.html",
        number=order.number,
        name=order.name,
        email=order.email,
        lines=_summary(order.lines),
        discount=when(order.discount, "summary_discount.html", amount=money(order.discount)),
        delivery=order.delivery,
        delivery_cost=money(order.delivery_cost),
        payment=order.payment,
        total=money(order.total),
    )
    return page(request, "Thank you", body)


def _form(cart: Cart, values: Mapping[str, str], wrong: Mapping[str, str]) -> Html:
    return render(
        "checkout.html",
        summary_of_errors=when(wrong, "error_summary.html", links=_links(wrong)),
        fields=join(_field(values, wrong, *field) for field in _TEXT_FIELDS),
        deliveries=join(_delivery(key, values.get("delivery") == key) for key in DELIVERIES),
        delivery_error=_message("delivery", wrong),
        payments=join(_payment(key, values.get("payment") == key) for key in PAYMENTS),
        payment_error=_message("payment", wrong),
        payment_state=_state("payment", wrong),
        terms=flag("checked", values.get("terms") == "on"),
        terms_error=_message("terms", wrong),
        terms_state=_state("terms", wrong),
        lines=_summary(cart.lines),
        discount=when(cart.discount, "summary_discount.html", amount=money(cart.discount)),
        cents=cart.total,
        delivery_cost=money(_delivery_cost(values)),
        total=money(cart.total + _delivery_cost(values)),
    )


def _field(
    values: Mapping[str, str], wrong: Mapping[str, str], name: str, label: str, kind: str, autocomplete: str
) -> Html:
    return render(
        "field.html",
        name=name,
        label=label,
        kind=kind,
        autocomplete=autocomplete,
        value=values.get(name, ""),
        state=_state(name, wrong),
        error=_message(name, wrong),
    )


def _state(name: str, wrong: Mapping[str, str]) -> Html:
    return Html(f' aria-invalid="true" aria-describedby="{name}-error"' if name in wrong else "")


def _message(name: str, wrong: Mapping[str, str]) -> Html:
    return when(name in wrong, "field_error.html", name=name, text=wrong.get(name))


def _links(wrong: Mapping[str, str]) -> Html:
    return join(render("error_link.html", name=name, text=text) for name, text in wrong.items())


def _delivery(key: str, chosen: bool) -> Html:
    label, cost = DELIVERIES[key]
    price = money(cost) if cost else "free"
    # The first radio carries the id that the summary of errors links to.
    name = "delivery" if key == next(iter(DELIVERIES)) else f"delivery-{key}"
    return render(
        "delivery.html", id=name, key=key, label=label, price=price, cents=cost, checked=flag("checked", chosen)
    )


def _payment(key: str, chosen: bool) -> Html:
    return render("option.html", value=key, label=PAYMENTS[key], selected=flag("selected", chosen))


def _delivery_cost(values: Mapping[str, str]) -> int:
    return DELIVERIES.get(values.get("delivery", ""), ("", 0))[1]


def _summary(lines: tuple[Line, ...]) -> Html:
    return join(
        render("summary_line.html", name=line.product.name, quantity=line.quantity, total=money(line.total))
        for line in lines
    )
