"""Who may call: the one place that every request passes before anything is done for it."""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.requests import Request

from mouthpiece.errors import MouthpieceError, Unavailable

_SAFE = {"GET", "HEAD", "OPTIONS"}


class CrossOrigin(MouthpieceError):
    """Another site's page may not act here with what the browser's user may do."""

    status = "PERMISSION_DENIED"


class Access:
    """Lets requests in. What tokens allow is to be asked in `admit`, as the interceptor does for gRPC."""

    def __init__(self) -> None:
        self.draining = False

    async def admit(self, request: Request) -> None:
        """Raise the error with which a request is refused."""
        if self.draining:
            raise Unavailable("the service is draining")
        if request.method not in _SAFE:
            _same_origin(request)


def _same_origin(request: Request) -> None:
    """Programs send no Origin; a browser always does, and says truly where the page came from."""
    origin = request.headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != request.headers.get("host"):
        raise CrossOrigin("pages of other sites may not call this")
