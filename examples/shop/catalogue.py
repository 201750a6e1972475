"""The products of the shop, and the search for them. Prices are whole cents."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal

Picture = Literal["bag", "tin", "mug", "dripper", "kettle", "grinder", "biscuit", "bar"]

CATEGORIES = {"coffee": "Coffee", "tea": "Tea", "equipment": "Equipment", "treats": "Treats"}


@dataclass(frozen=True, kw_only=True)
class Product:
    """One article; `picture` and `color` say how it is drawn, `detail` is its tooltip."""

    slug: str
    name: str
    category: str
    price: int
    text: str
    detail: str
    picture: Picture
    color: str


def _product(slug: str, name: str, price: int, picture: Picture, color: str, text: str, detail: str) -> Product:
    category = {"bag": "coffee", "tin": "tea", "biscuit": "treats", "bar": "treats"}.get(picture, "equipment")
    return Product(
        slug=slug, name=name, category=category, price=price, text=text, detail=detail, picture=picture, color=color
    )


PRODUCTS = (
    _product(
        "ethiopia-sidamo", "Ethiopia Sidamo", 1250, "bag", "#c8643c",
        "Bright and floral, with bergamot and ripe apricot. 250 g of whole beans.",
        "Light roast, washed, 1,900 m",
    ),
    _product(
        "colombia-huila", "Colombia Huila", 1150, "bag", "#3f7d6e",
        "Caramel sweetness, red apple and a long, clean finish. 250 g of whole beans.",
        "Medium roast, washed, 1,700 m",
    ),
    _product(
        "house-espresso", "House Espresso", 990, "bag", "#4a3428",
        "Dark chocolate and hazelnut; made for milk, good without. 250 g of whole beans.",
        "Dark roast, Brazil and India",
    ),
    _product(
        "sumatra-mandheling", "Sumatra Mandheling", 1190, "bag", "#6b5b95",
        "Earthy, full and low in acid, with cedar and dark cocoa. 250 g of whole beans.",
        "Dark roast, wet-hulled",
    ),
    _product(
        "decaf-peru", "Decaf Peru", 1090, "bag", "#7f9fb5",
        "Milk chocolate and orange peel, and a good night's sleep. 250 g of whole beans.",
        "Medium roast, water process",
    ),
    _product(
        "earl-grey", "Earl Grey", 750, "tin", "#4f6d8f",
        "Black tea scented with real bergamot oil. 100 g, loose.",
        "3 minutes at 95 °C",
    ),
    _product(
        "sencha", "Sencha", 890, "tin", "#6f9a4c",
        "Fresh Japanese green tea with notes of cut grass and sea. 100 g, loose.",
        "2 minutes at 75 °C",
    ),
    _product(
        "rooibos-vanilla", "Rooibos Vanilla", 690, "tin", "#b5533c",
        "Naturally free of caffeine, soft and sweet. 100 g, loose.",
        "6 minutes at 100 °C",
    ),
    _product(
        "ceramic-dripper", "Ceramic Dripper", 2400, "dripper", "#c98a5a",
        "A cone for one or two cups of filter coffee, glazed by hand.",
        "Takes size 02 filters",
    ),
    _product(
        "hand-grinder", "Hand Grinder", 5900, "grinder", "#5b6b73",
        "Steel burrs, thirty clicks, quiet enough for six in the morning.",
        "Holds 25 g of beans",
    ),
    _product(
        "gooseneck-kettle", "Gooseneck Kettle", 4900, "kettle", "#3d4a52",
        "Pours slowly and exactly where you want it. 1 litre, for every hob.",
        "Brushed steel",
    ),
    _product(
        "stoneware-mug", "Stoneware Mug", 1600, "mug", "#d9a441",
        "Heavy, warm and hard to knock over. 300 ml.",
        "Safe in the dishwasher",
    ),
    _product(
        "almond-cantuccini", "Almond Cantuccini", 550, "biscuit", "#d8a765",
        "Baked twice, full of almonds, made to be dunked. 200 g.",
        "Contains almonds, wheat and egg",
    ),
    _product(
        "oat-cookies", "Oat Cookies", 480, "biscuit", "#b98350",
        "Crisp at the edge, soft in the middle. Six in a box.",
        "Contains oats; no dairy",
    ),
    _product(
        "dark-chocolate", "Dark Chocolate 72%", 420, "bar", "#5a3825",
        "Ecuadorian cocoa and nothing that it does not need. 80 g.",
        "May contain traces of nuts",
    ),
)  # fmt: skip

BY_SLUG = {product.slug: product for product in PRODUCTS}


def in_category(category: str | None) -> tuple[Product, ...]:
    """The products of a category; None means all of them."""
    return tuple(p for p in PRODUCTS if category in (None, p.category))


def search(query: str) -> tuple[Product, ...]:
    """Products in whose name, text or category every word of the query stands; an empty query finds nothing."""
    words = query.casefold().split()
    if not words:
        return ()
    return tuple(p for p in PRODUCTS if all(word in _searchable(p) for word in words))


def starting_with(prefix: str, limit: int = 5) -> tuple[Product, ...]:
    """Products with a word in the name that starts so, for suggestions while somebody types."""
    wanted = prefix.strip().casefold()
    if not wanted:
        return ()
    found = [p for p in PRODUCTS if f" {wanted}" in f" {p.name.casefold()}"]
    return tuple(found[:limit])


def similar(query: str, limit: int = 3) -> tuple[str, ...]:
    """Words of the catalogue that look like the query: "did you mean"."""
    words = {word for p in PRODUCTS for word in p.name.split() if len(word) > 2}
    words |= set(CATEGORIES.values())
    known = {word.casefold(): word for word in sorted(words)}
    return tuple(known[match] for match in get_close_matches(query.casefold(), known, n=limit, cutoff=0.6))


def _searchable(product: Product) -> str:
    return f"{product.name} {product.text} {CATEGORIES[product.category]}".casefold()
