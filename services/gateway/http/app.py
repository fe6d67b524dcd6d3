"""The HTTP application: the table of endpoints behind one edge, the description of it, and the page."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Message

from mouthpiece.errors import BadInput, MouthpieceError, NotFound, as_told
from mouthpiece.rpc import tracing
from mouthpiece.settings import GatewaySettings
from services.gateway.http import metrics, openapi
from services.gateway.http.access import Access
from services.gateway.http.answers import problem
from services.gateway.http.endpoints import Endpoint, Handler
from services.gateway.http.security import SecurityHeaders

log = logging.getLogger(__name__)

PAGE = Path(__file__).parent / "page"

_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")

_FORM_SLACK = 1 << 20
"""What a form may hold besides its file."""


def application(endpoints: Sequence[Endpoint], access: Access, settings: GatewaySettings) -> Starlette:
    """The application."""
    text_limit = _FORM_SLACK + 12 * settings.max_text  # JSON may write one character as twelve
    upload_limit = text_limit + settings.max_upload_bytes
    document = openapi.document(endpoints)

    async def describe(_request: Request) -> Response:
        return JSONResponse(document)

    paths: dict[str, dict[str, Handler]] = {}
    for e in endpoints:
        edge = _edge(e, access, upload_limit if e.upload else text_limit)
        paths.setdefault(e.path, {})[e.method] = edge
    routes: list[BaseRoute] = [
        Route(path, _by_method(edges), methods=_METHODS) for path, edges in paths.items()
    ]
    routes.append(Route("/openapi.json", describe))
    routes.append(Mount("/", StaticFiles(directory=PAGE, html=True)))
    return Starlette(
        routes=routes,
        middleware=[Middleware(SecurityHeaders)],
        exception_handlers={HTTPException: _http_exception},
    )


def _by_method(edges: Mapping[str, Handler]) -> Handler:
    """All methods of a path as one route: else those that it lacks would fall through to the page's files."""
    allowed = [*edges, *(["HEAD"] if "GET" in edges else [])]

    async def call(request: Request) -> Response:
        if request.method not in allowed:
            told = f"{request.method} is none of {', '.join(allowed)}"
            raise HTTPException(405, told, {"Allow": ", ".join(allowed)})
        return await edges["GET" if request.method == "HEAD" else request.method](request)

    return call


def _edge(endpoint: Endpoint, access: Access, limit: int) -> Handler:
    """The one place where errors become answers, requests are counted, and those that may not are refused."""

    told = {"http.request.method": endpoint.method, "http.route": endpoint.path}

    async def call(request: Request) -> Response:
        start = time.perf_counter()
        span = tracing.answer(f"{endpoint.method} {endpoint.path}", request.headers, told)
        try:
            access.admit(request, endpoint.rpc)
            response = await endpoint.handler(_limited(request, limit))
        except MouthpieceError as error:
            if error.status == "INTERNAL":
                log.exception("%s %s failed", endpoint.method, endpoint.path)
            response = problem(error)
        except HTTPException as error:
            response = _refused(error)
        except Exception as error:  # the edge: what nobody foresaw must not leak its text
            log.exception("%s %s failed", endpoint.method, endpoint.path)
            response = problem(as_told(error))
        metrics.answered(endpoint.method, endpoint.path, response.status_code, time.perf_counter() - start)
        span.note(**{"http.response.status_code": response.status_code})
        span.end("failed" if response.status_code >= 500 else "")
        return response

    return call


def _limited(request: Request, limit: int) -> Request:
    """The request, whose body may not be larger than so many bytes."""
    announced = request.headers.get("content-length", "0")
    if announced.isdigit() and int(announced) > limit:
        raise BadInput("", f"the body is larger than the limit of {limit} bytes")
    taken = 0

    async def receive() -> Message:
        nonlocal taken
        message = await request.receive()
        taken += len(message.get("body", b""))
        if taken > limit:
            raise BadInput("", f"the body is larger than the limit of {limit} bytes")
        return message

    return Request(request.scope, receive)


async def _http_exception(_request: Request, error: Exception) -> Response:
    """What the framework refuses before any endpoint is called: unknown paths, wrong methods."""
    assert isinstance(error, HTTPException)
    return _refused(error)


def _refused(error: HTTPException) -> Response:
    if error.status_code == 404:
        return problem(NotFound("no such path"))
    answer = problem(BadInput("", str(error.detail)), error.status_code)
    answer.headers.update(error.headers or {})
    return answer
