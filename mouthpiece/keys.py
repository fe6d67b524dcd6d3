"""API keys as text: tokens for callers, of which the gateway keeps only the hash."""

from __future__ import annotations

import hashlib
import secrets

PREFIX = "mp_"
_RANDOM_BYTES = 32


def new_token(name: str) -> str:
    """A token for the key of that name, with 256 random bits."""
    return f"{PREFIX}{name}_{secrets.token_urlsafe(_RANDOM_BYTES)}"


def name_in(token: str) -> str:
    """The name of the key that a token claims to be of."""
    return token.removeprefix(PREFIX).partition("_")[0]


def hash_token(token: str) -> str:
    """What is kept of a token. It needs no salt: tokens are random, not chosen by people."""
    return hashlib.sha256(token.encode()).hexdigest()
