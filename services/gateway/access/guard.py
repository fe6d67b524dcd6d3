"""Lets calls in, or not: the one place for gRPC and HTTP."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from limits import parse
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from mouthpiece.errors import Busy, Forbidden, MouthpieceError, Unauthenticated
from mouthpiece.keys import PREFIX
from services.gateway.access.callers import ANYBODY, RATED, SCOPES, Caller, set_caller
from services.gateway.access.document import AccessDocument, Tenant, read_access
from services.gateway.access.keys import KeyRing
from services.gateway.access.tokens import TokenReader, fetch_keys

log = logging.getLogger(__name__)

LOOK_EVERY = 5.0
"""Seconds between two looks at the file; a key that is taken out stops working within that."""

FETCH_EVERY = 300.0
"""Seconds between two looks at an issuer's keys."""


class Guard:
    """Knows callers by their tokens. Without a file everybody may do everything."""

    def __init__(self, path: Path | None, clock: Callable[[], float] = time.time) -> None:
        self._path = path
        self._clock = clock
        self._rates = MovingWindowRateLimiter(MemoryStorage())
        self._document = AccessDocument(tenants={})
        self._keys = KeyRing(())
        self._tokens: TokenReader | None = None
        self._modified = 0.0
        self._fetched = 0.0

    @property
    def asks(self) -> bool:
        """Whether callers have to say who they are."""
        return self._path is not None

    def load(self) -> None:
        """Read the file, and the issuer's keys. Raises `MouthpieceError`."""
        if self._path is None:
            return
        modified = _modified(self._path)
        self._document = read_access(self._path)
        self._keys = KeyRing(self._document.keys)
        issuer = self._document.jwt
        self._tokens = TokenReader(issuer, fetch_keys(issuer.jwks)) if issuer is not None else None
        self._modified, self._fetched = modified, self._clock()

    async def keep_fresh(self) -> None:
        """Read again what has changed, for ever. A file that is wrong leaves the last good one in force."""
        while self._path is not None:
            await asyncio.sleep(LOOK_EVERY)
            if not self._stale():
                continue
            try:
                await asyncio.to_thread(self.load)
            except MouthpieceError as error:
                log.warning("access stays as it was: %s", error.message)

    def _stale(self) -> bool:
        assert self._path is not None
        changed = _modified(self._path) not in (0.0, self._modified)
        return changed or (self._tokens is not None and self._clock() - self._fetched > FETCH_EVERY)

    def admit(self, method: str, headers: Mapping[str, str]) -> None:
        """Let a call of a method of VideoService in, and let its task know on whose behalf it runs.

        Raises `Unauthenticated` without a good token, `Forbidden` without the scope, `Busy` above the rate.
        """
        if not self.asks:
            return
        caller = self.caller(headers)
        scope = SCOPES.get(method)
        if scope not in caller.scopes:
            named = f"the scope {scope.value}, which" if scope else "what"
            raise Forbidden(f"{caller.name} lacks {named} {method} takes")
        if method in RATED:
            self._count(caller)
        set_caller(caller)

    def caller(self, headers: Mapping[str, str]) -> Caller:
        """Who calls, by the `authorization` (bearer) or `x-api-key` header. Raises `Unauthenticated`."""
        if not self.asks:
            return ANYBODY
        token = _token(headers)
        if not token:
            raise Unauthenticated("a token is needed: authorization: Bearer …, or x-api-key: …")
        found = self._find(token)
        if found is None or found.tenant not in self._document.tenants:
            raise Unauthenticated("the token is not valid, or has expired")
        return found

    def _find(self, token: str) -> Caller | None:
        now = self._clock()
        if token.startswith(PREFIX) or self._tokens is None:
            return self._keys.find(token, now)
        return self._tokens.find(token, now)

    def tenant(self, name: str) -> Tenant:
        """A tenant's share and limits; the defaults for one that is not named."""
        return self._document.tenants.get(name, Tenant())

    def _count(self, caller: Caller) -> None:
        rate = self.tenant(caller.tenant).rate
        if not rate:
            return
        limit = parse(rate)
        if not self._rates.hit(limit, caller.tenant):
            reset = self._rates.get_window_stats(limit, caller.tenant).reset_time
            wait = max(1.0, reset - time.time())
            raise Busy(f"tenant {caller.tenant!r} is above its rate of {rate}", wait)


def _modified(path: Path) -> float:
    """When a file was changed, 0 while it is not there: it may be on its way to another version."""
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _token(headers: Mapping[str, str]) -> str:
    kind, _, token = headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer" and token:
        return token.strip()
    return headers.get("x-api-key", "").strip()
