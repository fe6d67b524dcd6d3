"""Finds callers by their API keys."""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from datetime import UTC, datetime

from mouthpiece.keys import hash_token, name_in
from services.gateway.access.callers import Caller
from services.gateway.access.document import Key


class KeyRing:
    """API keys by name."""

    def __init__(self, keys: Iterable[Key]) -> None:
        self._keys = {key.name: key for key in keys}

    def find(self, token: str, now: float) -> Caller | None:
        """Whose token it is, at `now` in seconds since 1970; `None` for one that is unknown or expired.

        The comparison takes the same time wherever the difference is.
        """
        key = self._keys.get(name_in(token))
        expected = key.sha256 if key is not None else "0" * 64
        same = hmac.compare_digest(hash_token(token), expected)
        if key is None or not same or _expired(key, now):
            return None
        return Caller(key.tenant, key.scopes, key.name)


def _expired(key: Key, now: float) -> bool:
    return key.expires is not None and datetime.fromtimestamp(now, UTC) >= key.expires
