"""HTTP for one gateway: what it offers, and its life."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from mouthpiece.artifacts import ArtifactStore
from mouthpiece.settings import CommonSettings, GatewaySettings
from services.gateway.access import Guard
from services.gateway.http.access import Access
from services.gateway.http.api import Api
from services.gateway.http.app import application
from services.gateway.http.endpoints import Endpoint
from services.gateway.http.hosts import Hosts
from services.gateway.http.older import OlderPaths
from services.gateway.http.server import serving_http
from services.gateway.http.session import Sessions
from services.gateway.jobs import Jobs
from services.gateway.uploads import Uploads

if TYPE_CHECKING:
    from services.gateway.servicer import VideoServicer


class HttpFront:
    """The HTTP interface of a gateway that is loaded. `port` is where it listens."""

    def __init__(
        self,
        gateway: VideoServicer,
        jobs: Jobs,
        uploads: Uploads,
        artifacts: ArtifactStore,
        settings: GatewaySettings,
        guard: Guard,
        hosts: Hosts,
    ) -> None:
        self.port = 0
        self._settings = settings
        self._access = Access(guard, hosts)
        self._stopping = asyncio.Event()
        self._api = Api(gateway, jobs, uploads, artifacts, self._stopping)
        self._sessions = Sessions(self._access)
        self._older = OlderPaths(gateway, uploads, settings)

    def endpoints(self) -> list[Endpoint]:
        """Everything that can be called."""
        return [*self._api.endpoints(), *self._older.endpoints(), *self._sessions.endpoints()]

    @asynccontextmanager
    async def serving(self, common: CommonSettings) -> AsyncGenerator[None]:
        """Serve inside the context. Raises `MouthpieceError` when the port is taken."""
        app = application(self.endpoints(), self._access, self._settings)
        async with serving_http(app, common.host, self._settings.http_port, common.tls) as listening:
            self.port = listening.port
            try:
                yield
            finally:
                self.drain()

    def drain(self) -> None:
        """Refuse new requests, and end the streams that go on for ever."""
        self._access.draining = True
        self._stopping.set()
