"""The cart's page and what can be done to a cart."""

from __future__ import annotations

from examples.shop.cart import MAX_QUANTITY, VOUCHERS, Cart, Line
from examples.shop.catalogue import BY_SLUG
from examples.shop.markup import join, money, render, when
from examples.shop.views.layout import error_page, items, page
from examples.shop.web import Request, Response, as_json, redirect

_MAX_NOTE = 120


def show(request: Request) -> Response:
    cart = request.session.cart
    return page(request, "Cart", _filled(cart) if cart.lines else render("cart_empty.html"))


def add(request: Request) -> Response:
    slug, quantity = request.form.get("slug", ""), _quantity(request)
    if slug not in BY_SLUG or quantity is None:
        return error_page(request, 404)
    request.session.cart.add(slug, quantity)
    request.session.notice = f"{BY_SLUG[slug].name} is in your cart."
    return redirect("/cart")


def change_quantity(request: Request) -> Response:
    slug, quantity = request.form.get("slug", ""), _quantity(request)
    if slug not in request.session.cart.quantities:
        return error_page(request, 404)
    if quantity is None:
        request.session.notice = f"The quantity has to be a number from 1 to {MAX_QUANTITY}."
    else:
        request.session.cart.change_quantity(slug, quantity)
        request.session.notice = "Quantity updated."
    return redirect("/cart")


def remove(request: Request) -> Response:
    slug = request.form.get("slug", "")
    if slug not in request.session.cart.quantities:
        return error_page(request, 404)
    request.session.cart.remove(slug)
    request.session.notice = f"{BY_SLUG[slug].name} was removed."
    return redirect("/cart")


def redeem(request: Request) -> Response:
    code = request.form.get("code", "").strip()
    if request.session.cart.redeem(code):
        request.session.notice = f"Voucher {code.upper()} applied."
    else:
        request.session.notice = f"There is no voucher “{code}”."
    return redirect("/cart")


def save_note(request: Request) -> Response:
    request.session.cart.note = request.form.get("note", "").strip()[:_MAX_NOTE]
    return as_json({"note": request.session.cart.note})


def _filled(cart: Cart) -> str:
    return render(
        "cart.html",
        count=items(cart.count),
        lines=join(_line(line) for line in cart.lines),
        subtotal=money(cart.subtotal),
        discount=when(
            cart.voucher,
            "cart_discount.html",
            code=cart.voucher,
            percent=VOUCHERS.get(cart.voucher or ""),
            amount=money(cart.discount),
        ),
        total=money(cart.total),
        note=cart.note,
    )


def _line(line: Line) -> str:
    product = line.product
    return render(
        "cart_line.html",
        slug=product.slug,
        name=product.name,
        price=money(product.price),
        quantity=line.quantity,
        total=money(line.total),
        most=MAX_QUANTITY,
    )


def _quantity(request: Request) -> int | None:
    text = request.form.get("quantity", "1").strip()
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 4 else 0
    return number if 1 <= number <= MAX_QUANTITY else None
