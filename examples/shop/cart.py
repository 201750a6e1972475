"""The cart: quantities, a voucher and what it all costs. Money is whole cents."""

from __future__ import annotations

from dataclasses import dataclass, field

from examples.shop.catalogue import BY_SLUG, Product

MAX_QUANTITY = 20
VOUCHERS = {"WELCOME10": 10, "BEANS25": 25}  # percent off


@dataclass(frozen=True)
class Line:
    """One product in the cart."""

    product: Product
    quantity: int

    @property
    def total(self) -> int:
        return self.product.price * self.quantity


@dataclass
class Cart:
    """A session's cart; `discount` is what the voucher takes off."""

    quantities: dict[str, int] = field(default_factory=dict)
    voucher: str | None = None
    discount: int = 0
    note: str = ""

    @property
    def lines(self) -> tuple[Line, ...]:
        return tuple(Line(BY_SLUG[slug], quantity) for slug, quantity in self.quantities.items())

    @property
    def count(self) -> int:
        return sum(self.quantities.values())

    @property
    def subtotal(self) -> int:
        return sum(line.total for line in self.lines)

    @property
    def total(self) -> int:
        return self.subtotal - self.discount

    def add(self, slug: str, quantity: int) -> None:
        self.quantities[slug] = _allowed(self.quantities.get(slug, 0) + quantity)
        self._work_out_discount()

    def change_quantity(self, slug: str, quantity: int) -> None:
        """Set the quantity of a product that is in the cart.

        KNOWN BUG, kept on purpose (see README.md): the old discount is dropped, the new one never worked out.
        """
        self.quantities[slug] = _allowed(quantity)
        self.discount = 0

    def remove(self, slug: str) -> None:
        self.quantities.pop(slug, None)
        self._work_out_discount()

    def redeem(self, code: str) -> bool:
        """Apply a voucher in place of the present one; False and no change if there is no such voucher."""
        name = code.strip().upper()
        if name not in VOUCHERS:
            return False
        self.voucher = name
        self._work_out_discount()
        return True

    def _work_out_discount(self) -> None:
        percent = VOUCHERS[self.voucher] if self.voucher else 0
        self.discount = (self.subtotal * percent + 50) // 100


def _allowed(quantity: int) -> int:
    return max(1, min(quantity, MAX_QUANTITY))
