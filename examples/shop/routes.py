"""The view for each path."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from examples.shop.views import account, assets, checkout, extras, front, reviews
from examples.shop.views import cart as cart_views
from examples.shop.views.layout import error_page
from examples.shop.web import Request, Response

View = Callable[..., Response]
Answer = Callable[[str, str, Request], Response]


@dataclass(frozen=True)
class Route:
    """A method and a path; a last part of `*` matches one path segment and is given to the view."""

    method: str
    path: str
    view: View

    def match(self, path: str) -> tuple[str, ...] | None:
        """The arguments for the view if the path is this route's, else None."""
        if not self.path.endswith("*"):
            return () if path == self.path else None
        start = self.path[:-1]
        rest = path.removeprefix(start)
        return (rest,) if path.startswith(start) and rest and "/" not in rest else None


ROUTES = (
    Route("GET", "/", front.home),
    Route("GET", "/catalogue", front.catalogue),
    Route("GET", "/search", front.search),
    Route("GET", "/api/suggest", front.suggest),
    Route("GET", "/product/*", front.product),
    Route("GET", "/reviews/*", reviews.show),
    Route("POST", "/reviews/*", reviews.add),
    Route("GET", "/cart", cart_views.show),
    Route("POST", "/cart/add", cart_views.add),
    Route("POST", "/cart/quantity", cart_views.change_quantity),
    Route("POST", "/cart/remove", cart_views.remove),
    Route("POST", "/cart/voucher", cart_views.redeem),
    Route("POST", "/api/note", cart_views.save_note),
    Route("GET", "/checkout", checkout.show),
    Route("POST", "/checkout", checkout.submit),
    Route("GET", "/order/*", checkout.confirmation),
    Route("GET", "/login", account.login_form),
    Route("POST", "/login", account.login),
    Route("POST", "/logout", account.logout),
    Route("GET", "/account", account.show),
    Route("GET", "/receipts", extras.receipts),
    Route("POST", "/receipts", extras.upload),
    Route("GET", "/roasts", extras.roasts),
    Route("GET", "/api/roasts", extras.roast_list),
    Route("POST", "/api/newsletter", extras.subscribe),
    Route("GET", "/static/*", assets.static),
    Route("GET", "/picture/*", assets.picture),
    Route("GET", "/health", assets.health),
)


def answer(method: str, path: str, request: Request) -> Response:
    """Return the answer of the view for this path; 404 without a view, 405 if the view has another method."""
    found = [(route, arguments) for route in ROUTES if (arguments := route.match(path)) is not None]
    if not found:
        return error_page(request, 404)
    for route, arguments in found:
        if route.method == method:
            return route.view(request, *arguments)
    return error_page(request, 405)
