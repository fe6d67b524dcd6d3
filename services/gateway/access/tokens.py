"""JSON Web Tokens (RFC 7519) of an issuer whose keys are known as a JWKS (RFC 7517)."""

from __future__ import annotations

import json
from collections import OrderedDict
from pathlib import Path
from typing import Any

import requests
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from mouthpiece.errors import MouthpieceError
from services.gateway.access.callers import Caller, Scope
from services.gateway.access.document import Issuer

ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
"""Asymmetric ones only: a key set is public."""

LEEWAY = 30
"""Seconds by which clocks may differ."""

FETCH_SECONDS = 10.0
_REMEMBERED = 4096


def fetch_keys(source: str) -> KeySet:
    """The key set of a file or an https URL. Raises `MouthpieceError`."""
    try:
        if source.startswith("https://"):
            answer = requests.get(source, timeout=FETCH_SECONDS)
            answer.raise_for_status()
            document = answer.json()
        else:
            document = json.loads(Path(source).read_text(encoding="utf-8"))
        return KeySet.import_key_set(document)
    except (OSError, ValueError, KeyError, TypeError, JoseError) as error:
        raise MouthpieceError(f"cannot read the key set {source}: {error}") from None


class TokenReader:
    """Checks tokens against one state of an issuer's keys; a good one is remembered until it expires."""

    def __init__(self, issuer: Issuer, keys: KeySet) -> None:
        self._issuer = issuer
        self._keys = keys
        self._known: OrderedDict[str, tuple[Caller, float]] = OrderedDict()

    def find(self, token: str, now: float) -> Caller | None:
        """Whose token it is, at `now` in seconds since 1970; `None` for any that is not good."""
        known = self._known.get(token)
        if known is not None and now < known[1]:
            return known[0]
        try:
            claims = jwt.decode(token, self._keys, algorithms=ALGORITHMS).claims
            self._check(claims, now)
            caller = self._caller(claims)
        except (JoseError, ValueError):
            return None
        self._known[token] = caller, float(claims["exp"])
        while len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        return caller

    def _check(self, claims: dict[str, Any], now: float) -> None:
        jwt.JWTClaimsRegistry(
            now=int(now),
            leeway=LEEWAY,
            iss={"essential": True, "value": self._issuer.issuer},
            aud={"essential": True, "value": self._issuer.audience},
            exp={"essential": True},
        ).validate(claims)

    def _caller(self, claims: dict[str, Any]) -> Caller:
        tenant = claims.get(self._issuer.tenant_claim)
        if not isinstance(tenant, str) or not tenant:
            raise ValueError("no tenant")
        return Caller(tenant, _scopes(claims.get(self._issuer.scope_claim)), str(claims.get("sub", tenant)))


def _scopes(claim: object) -> frozenset[Scope]:
    """Scopes from a list, or from words in one string (RFC 8693); those that are not ours are left out."""
    words = claim.split() if isinstance(claim, str) else claim if isinstance(claim, list) else []
    return frozenset(Scope(word) for word in words if word in set(Scope))
