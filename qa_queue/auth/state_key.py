"""The key that encrypts states of logins, and makes names for them that cannot be guessed or exchanged."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import zlib
from typing import Any

from cryptography.fernet import Fernet, InvalidToken

from qa_queue.errors import InputError
from qa_queue.settings import Settings
from qa_queue.settings.service import NEW_STATE_KEY, state_key_bytes

MAX_STATE_BYTES = 10_000_000


class StateKey:
    """QA_STATE_KEY. A digest made with it tells nothing of the values in it, and another key makes another one."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._fernet = Fernet(base64.urlsafe_b64encode(key))

    @classmethod
    def of(cls, settings: Settings) -> StateKey:
        """Return the key of the settings.

        Raises:
            InputError: it is not set.
        """
        text = settings.qa_state_key
        key = state_key_bytes(text.get_secret_value()) if text else None
        if key is None:
            raise InputError(
                "the case uses the state of a login, and QA_STATE_KEY is not set for this worker: set it to the "
                f"key that encrypts these states, the same for every worker; {NEW_STATE_KEY}"
            )
        return cls(key)

    def digest(self, identity: Any) -> str:
        """Return the name of the state of a login with this identity, a JSON value."""
        text = json.dumps(identity, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        return hmac.new(self._key, b"login\n" + text.encode(), hashlib.sha256).hexdigest()

    def seal(self, digest: str, content: Any) -> bytes:
        """Return a JSON value encrypted, bound to this digest.

        Raises:
            InputError: it is too large.
        """
        plain = json.dumps([digest, content], ensure_ascii=False, separators=(",", ":")).encode()
        if len(plain) > MAX_STATE_BYTES:
            raise InputError(
                f"the state of the browser has {len(plain):,} bytes, and at most {MAX_STATE_BYTES:,} are kept: "
                "let the site store less before the state is saved"
            )
        return self._fernet.encrypt(zlib.compress(plain))

    def unseal(self, digest: str, sealed: bytes) -> Any:
        """Return what `seal` encrypted; None where it was another key's or digest's, or is damaged."""
        try:
            bound, content = json.loads(zlib.decompress(self._fernet.decrypt(sealed)))
        except (InvalidToken, zlib.error, ValueError):
            return None
        return content if bound == digest else None
