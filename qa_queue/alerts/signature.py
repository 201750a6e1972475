"""The signature of a webhook's messages: HMAC-SHA256 over the moment of sending and the body. Pure.

The header reads `X-QA-Queue-Signature: t=1767880000,v1=<64 hexadecimal digits>`. What is signed is the moment as it
stands there, a full stop, and the body's bytes, so neither can be changed, and an old message cannot be sent again.
"""

from __future__ import annotations

import hashlib
import hmac

HEADER = "X-QA-Queue-Signature"
WINDOW_S = 300  # how old a message may be


def sign(secret: str, body: bytes, *, now: int) -> str:
    """The header's value for a body sent at `now`, in s since 1970."""
    return f"t={now},v1={_digest(secret, str(now), body)}"


def verify(secret: str, header: str, body: bytes, *, now: float, window_s: float = WINDOW_S) -> bool:
    """Whether who knows the secret signed this body no longer than `window_s` ago; compared in constant time."""
    parts = dict(part.split("=", 1) for part in header.split(",") if "=" in part)
    moment = parts.get("t", "")
    if not (moment.isascii() and moment.isdigit()):
        return False
    genuine = hmac.compare_digest(_digest(secret, moment, body).encode(), parts.get("v1", "").encode())
    return genuine and abs(now - int(moment)) <= window_s


def _digest(secret: str, moment: str, body: bytes) -> str:
    return hmac.new(secret.encode(), moment.encode() + b"." + body, hashlib.sha256).hexdigest()
