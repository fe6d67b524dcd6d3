"""A browser's token, kept in a cookie that no script can read."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from mouthpiece.errors import BadInput
from services.gateway.access import Caller
from services.gateway.http.access import COOKIE, Access
from services.gateway.http.answers import no_content
from services.gateway.http.bodies import json_object
from services.gateway.http.endpoints import JSON, Endpoint


class Sessions:
    """Lets the page say who uses it."""

    def __init__(self, access: Access) -> None:
        self._access = access

    def endpoints(self) -> list[Endpoint]:
        """All of them."""
        path = "/api/session"
        return [
            Endpoint("", "GET", path, self.show, "Who calls, and whether a token is needed at all.", JSON),
            Endpoint("", "POST", path, self.begin, "Keep a `token` in a cookie, for browsers.", JSON, JSON),
            Endpoint("", "DELETE", path, self.end, "Forget it.", "", None, 204),
        ]

    async def show(self, request: Request) -> Response:
        """Who calls."""
        return JSONResponse(self._described(self._access.caller(request)))

    async def begin(self, request: Request) -> Response:
        """Check a token, and keep it."""
        token = (await json_object(request)).get("token")
        if not isinstance(token, str):
            raise BadInput("token", "must be text")
        answer = JSONResponse(self._described(self._access.caller_with(token)))
        secure = request.url.scheme == "https"
        answer.set_cookie(COOKIE, token, httponly=True, samesite="strict", secure=secure)
        return answer

    async def end(self, _request: Request) -> Response:
        """Forget the token."""
        answer = no_content()
        answer.delete_cookie(COOKIE, httponly=True, samesite="strict")
        return answer

    def _described(self, caller: Caller) -> dict[str, object]:
        return {
            "token_needed": self._access.asks,
            "name": caller.name,
            "tenant": caller.tenant,
            "scopes": sorted(caller.scopes),
        }
