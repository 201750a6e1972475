"""Morning Bean: a small web shop to test against. `serve()` starts it, `python -m examples.shop` runs it."""

from examples.shop.server import Shop, serve

__all__ = ["Shop", "serve"]
