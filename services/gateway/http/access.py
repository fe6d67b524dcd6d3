"""Who may call: the one place that every request passes before anything is done for it."""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.requests import Request

from mouthpiece.errors import Forbidden, Unavailable
from services.gateway.access import Caller, Guard
from services.gateway.http.hosts import Hosts

COOKIE = "mouthpiece_token"
"""Cookie with the token of a browser, whose players and event streams cannot send headers of their own."""

_SAFE = {"GET", "HEAD", "OPTIONS"}


class Access:
    """Lets requests in by the same tokens, scopes and rates as gRPC."""

    def __init__(self, guard: Guard, hosts: Hosts) -> None:
        self._guard = guard
        self._hosts = hosts
        self.draining = False

    @property
    def asks(self) -> bool:
        """Whether callers have to say who they are."""
        return self._guard.asks

    def admit(self, request: Request, rpc: str) -> None:
        """Raise the error with which a request is refused; else the rest runs on its caller's behalf.

        `rpc` is the method of VideoService that it amounts to; empty: everybody may.
        """
        if self.draining:
            raise Unavailable("the service is draining")
        if request.method not in _SAFE:
            _check_origin(request)
        if rpc:
            if not self.asks:  # a page that has the gateway's name from elsewhere would know no token
                self._hosts.check(request.headers.get("host", ""))
            self._guard.admit(rpc, _credentials(request))

    def caller(self, request: Request) -> Caller:
        """Who calls. Raises `Unauthenticated`."""
        return self._guard.caller(_credentials(request))

    def caller_with(self, token: str) -> Caller:
        """Whose token it is. Raises `Unauthenticated`."""
        return self._guard.caller({"x-api-key": token})


def _credentials(request: Request) -> dict[str, str]:
    names = ("authorization", "x-api-key")
    found = {name: request.headers[name] for name in names if name in request.headers}
    return found or {"x-api-key": request.cookies.get(COOKIE, "")}


def _check_origin(request: Request) -> None:
    """Programs send no Origin; a browser always does, and says truly where the page came from."""
    origin = request.headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != request.headers.get("host"):
        raise Forbidden("pages of other sites may not call this")
