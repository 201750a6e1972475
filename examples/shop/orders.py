"""Checkout: what a valid order needs, and the order that comes of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from examples.shop.cart import Cart, Line

PAYMENTS = {"card": "Card on delivery", "invoice": "Invoice", "transfer": "Bank transfer"}
DELIVERIES = {
    "standard": ("Standard, 3 to 5 days", 390),
    "express": ("Express, next day", 790),
    "pickup": ("Pick up at the roastery", 0),
}

_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]{2,}")
_POSTCODE = re.compile(r"[0-9]{4,6}")


@dataclass(frozen=True, kw_only=True)
class Order:
    """A placed order; amounts in cents."""

    number: str
    name: str
    email: str
    lines: tuple[Line, ...]
    discount: int
    delivery: str
    delivery_cost: int
    payment: str
    total: int


def problems(form: Mapping[str, str]) -> dict[str, str]:
    """Return the errors of the checkout form as field -> message, in the order of the form."""
    checks = {
        "name": (len(_value(form, "name")) >= 2, "Enter your full name."),
        "email": (valid_email(_value(form, "email")), "Enter an email address like ann@example.org."),
        "address": (len(_value(form, "address")) >= 5, "Enter your street and house number."),
        "postcode": (bool(_POSTCODE.fullmatch(_value(form, "postcode"))), "Enter a postcode of 4 to 6 digits."),
        "delivery": (_value(form, "delivery") in DELIVERIES, "Choose how we deliver."),
        "payment": (_value(form, "payment") in PAYMENTS, "Choose how you pay."),
        "terms": (_value(form, "terms") == "on", "Accept the terms to place the order."),
    }
    return {field: message for field, (good, message) in checks.items() if not good}


def valid_email(text: str) -> bool:
    """Return whether this looks like one email address."""
    return bool(_EMAIL.fullmatch(text))


def place(number: str, form: Mapping[str, str], cart: Cart) -> Order:
    """The order of a form without problems."""
    delivery, cost = DELIVERIES[_value(form, "delivery")]
    return Order(
        number=number,
        name=_value(form, "name"),
        email=_value(form, "email"),
        lines=cart.lines,
        discount=cart.discount,
        delivery=delivery,
        delivery_cost=cost,
        payment=PAYMENTS[_value(form, "payment")],
        total=cart.total + cost,
    )


def _value(form: Mapping[str, str], field: str) -> str:
    return form.get(field, "").strip()
