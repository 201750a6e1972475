"""Finding things: home, catalogue, search and the product page."""

from __future__ import annotations

from collections.abc import Iterable

from examples.shop import catalogue as goods
from examples.shop.cart import MAX_QUANTITY
from examples.shop.catalogue import BY_SLUG, CATEGORIES, PRODUCTS, Product
from examples.shop.markup import Html, join, money, render
from examples.shop.views.layout import error_page, page
from examples.shop.web import Request, Response, as_json

_FEATURED = ("ethiopia-sidamo", "sencha", "stoneware-mug", "almond-cantuccini")
_POPULAR = ("Espresso", "Sencha", "Mug")


def home(request: Request) -> Response:
    body = render("home.html", cards=_cards(BY_SLUG[slug] for slug in _FEATURED), count=len(PRODUCTS))
    return page(request, "Coffee, tea and what goes with it", body)


def catalogue(request: Request) -> Response:
    category = request.query.get("category") or None
    if category is not None and category not in CATEGORIES:
        return error_page(request, 404)
    products = goods.in_category(category)
    title = CATEGORIES[category] if category else "All products"
    body = render(
        "catalogue.html", title=title, count=_counted(products), chips=_chips(category), cards=_cards(products)
    )
    return page(request, title, body)


def search(request: Request) -> Response:
    query = request.query.get("q", "").strip()
    found = goods.search(query)
    if found:
        body = render("search.html", query=query, count=_counted(found), cards=_cards(found))
    else:
        heading = f"Nothing found for “{query}”" if query else "What are you looking for?"
        suggestions = goods.similar(query) or _POPULAR
        links = join(render("suggestion.html", word=word) for word in suggestions)
        body = render("search_empty.html", heading=heading, suggestions=links)
    return page(request, "Search", body)


def suggest(request: Request) -> Response:
    found = goods.starting_with(request.query.get("q", ""))
    return as_json([{"name": p.name, "url": f"/product/{p.slug}", "price": money(p.price)} for p in found])


def product(request: Request, slug: str) -> Response:
    item = BY_SLUG.get(slug)
    if item is None:
        return error_page(request, 404)
    body = render(
        "product.html",
        slug=item.slug,
        name=item.name,
        text=item.text,
        detail=item.detail,
        price=money(item.price),
        category=item.category,
        category_name=CATEGORIES[item.category],
        most=MAX_QUANTITY,
    )
    return page(request, item.name, body)


def _cards(products: Iterable[Product]) -> Html:
    return join(
        render("card.html", slug=p.slug, name=p.name, price=money(p.price), category=CATEGORIES[p.category])
        for p in products
    )


def _chips(selected: str | None) -> Html:
    links = [("/catalogue", "All", selected is None)]
    links += [(f"/catalogue?category={slug}", name, slug == selected) for slug, name in CATEGORIES.items()]
    current = Html(' aria-current="page"')
    return join(render("chip.html", url=url, name=name, current=current if on else "") for url, name, on in links)


def _counted(products: tuple[Product, ...]) -> str:
    return f"{len(products)} product" if len(products) == 1 else f"{len(products)} products"
