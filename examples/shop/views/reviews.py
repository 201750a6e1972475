"""Reviews of a product: a page of its own, shown in an iframe on the product's page."""

from __future__ import annotations

from examples.shop.catalogue import BY_SLUG
from examples.shop.markup import join, render, when
from examples.shop.session import Review
from examples.shop.views.layout import error_page
from examples.shop.web import Request, Response, redirect

_OTHERS = (Review("Mira", 5, "Arrived fresh and smells wonderful."), Review("Jonas", 4, "Will order again."))


def show(request: Request, slug: str) -> Response:
    product = BY_SLUG.get(slug)
    if product is None:
        return error_page(request, 404)
    own = request.session.reviews.get(slug, [])
    notice = request.session.take_notice()
    document = render(
        "reviews.html",
        name=product.name,
        slug=slug,
        reviews=join(_review(review) for review in (*reversed(own), *_OTHERS)),
        count=len(own) + len(_OTHERS),
        notice=when(notice, "notice.html", text=notice),
    )
    return Response(body=document.encode())


def add(request: Request, slug: str) -> Response:
    if slug not in BY_SLUG:
        return error_page(request, 404)
    name, text = request.form.get("name", "").strip(), request.form.get("text", "").strip()
    rating = request.form.get("rating", "")
    if name and text and rating in {"1", "2", "3", "4", "5"}:
        request.session.reviews.setdefault(slug, []).append(Review(name[:40], int(rating), text[:500]))
        request.session.notice = "Thank you for your review."
    else:
        request.session.notice = "A review needs a name, a rating and a few words."
    return redirect(f"/reviews/{slug}")


def _review(review: Review) -> str:
    stars = "★" * review.rating + "☆" * (5 - review.rating)
    return render("review.html", name=review.name, rating=review.rating, stars=stars, text=review.text)
