"""The sessions of visitors: one for each cookie, so that parallel runs do not interfere."""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict
from dataclasses import dataclass, field

from examples.shop.cart import Cart
from examples.shop.orders import Order


@dataclass(frozen=True)
class Review:
    """A review that a visitor left."""

    name: str
    rating: int
    text: str


@dataclass(frozen=True)
class Receipt:
    """An uploaded file: its content is measured and thrown away."""

    name: str
    size: int


@dataclass
class Session:
    """A visitor's state. Hold `lock` while reading or changing it."""

    user: str | None = None
    cart: Cart = field(default_factory=Cart)
    orders: dict[str, Order] = field(default_factory=dict)
    reviews: dict[str, list[Review]] = field(default_factory=dict)
    receipts: list[Receipt] = field(default_factory=list)
    notice: str | None = None
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def take_notice(self) -> str | None:
        """The message for the next page, once."""
        notice, self.notice = self.notice, None
        return notice


class Sessions:
    """Sessions by token; the ones not used for longest go when there are more than `limit`."""

    def __init__(self, limit: int = 1000) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._sessions: OrderedDict[str, Session] = OrderedDict()

    def open(self, token: str | None) -> tuple[str, Session]:
        """Return the session of a token, or a new token and session."""
        with self._lock:
            if token is None or token not in self._sessions:
                token = secrets.token_urlsafe(24)
                self._sessions[token] = Session()
            self._sessions.move_to_end(token)
            while len(self._sessions) > self._limit:
                self._sessions.popitem(last=False)
            return token, self._sessions[token]
