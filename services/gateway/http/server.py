"""The HTTP server, in the event loop of the gateway."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

import uvicorn
from starlette.types import ASGIApp

from mouthpiece.errors import MouthpieceError
from mouthpiece.rpc.security import PLAIN, TlsFiles

log = logging.getLogger(__name__)

_END_WITHIN = 2
"""Seconds that requests get to end when the server closes."""


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Generator[None]:
        """Leave signals alone: the gateway drains by its own rules."""
        yield


@dataclass(frozen=True, slots=True)
class Listening:
    """Where the server listens."""

    host: str
    port: int


@asynccontextmanager
async def serving_http(
    app: ASGIApp, host: str, port: int, tls: TlsFiles = PLAIN
) -> AsyncGenerator[Listening]:
    """Serve an application inside the context. Port 0 takes any free one. With a certificate: https.

    Raises `MouthpieceError` when the port is taken.
    """
    listener = _listen(host, port)
    bound = listener.getsockname()[1]
    config = uvicorn.Config(
        app,
        lifespan="off",
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        ws="none",
        timeout_graceful_shutdown=_END_WITHIN,
        ssl_certfile=tls.certificate,
        ssl_keyfile=tls.key,
    )
    server = _Server(config)
    running = asyncio.create_task(server.serve([listener]))
    log.info("HTTP on %s:%d", host, bound)
    try:
        yield Listening(host, bound)
    finally:
        server.should_exit = True
        await running


def _listen(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port), backlog=2048)
    except OSError as error:
        raise MouthpieceError(f"cannot listen on {host}:{port} for HTTP: {error.strerror}") from None
