"""Sending a file so that a broken connection costs only what was under way."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from grpc.aio import AioRpcError

from mouthpiece.artifacts import Artifact
from mouthpiece.client.files import blocks
from mouthpiece.v1 import gateway_pb2

if TYPE_CHECKING:
    from grpc.aio import StreamUnaryCall

    from mouthpiece.v1.gateway_pb2_grpc import VideoServiceAsyncStub  # known to type checkers only

    UploadCall = StreamUnaryCall[gateway_pb2.UploadAssetRequest, gateway_pb2.UploadAssetResponse]

BLOCK = 256 << 10
"""Bytes per message: larger ones move more slowly."""

_QUERY_SECONDS = 30.0


class Upload:
    """One file on its way to the gateway; each `attempt` goes on after what has arrived there."""

    def __init__(
        self,
        stub: Callable[[], VideoServiceAsyncStub],
        path: Path,
        content: Artifact,
        on_bytes: Callable[[int, int], None],
        heard: Callable[[], None],
    ) -> None:
        self._stub = stub
        self._path = path
        self._content = content
        self._on_bytes = on_bytes
        self._heard = heard
        self._arrived = 0

    async def attempt(self) -> None:
        """Send what the gateway lacks."""
        query = gateway_pb2.QueryUploadRequest(sha256=self._content.sha256)
        state = await self._stub().QueryUpload(query, timeout=_QUERY_SECONDS)
        if state.complete:
            self._tell(self._content.size_bytes)
            return
        if state.offset > self._arrived:
            self._heard()
        self._arrived = state.offset
        await self._send(state.offset)

    async def _send(self, offset: int) -> None:
        header = gateway_pb2.UploadHeader(
            sha256=self._content.sha256, size_bytes=self._content.size_bytes, offset=offset
        )
        call = self._stub().UploadAsset()
        try:
            # When the gateway answers before the end, a write fails without the reason; the call has it.
            with suppress(asyncio.InvalidStateError, AioRpcError):
                await call.write(gateway_pb2.UploadAssetRequest(header=header))
                await self._write(call, offset)
                await call.done_writing()
            await call
        finally:
            call.cancel()

    async def _write(self, call: UploadCall, offset: int) -> None:
        self._tell(offset)
        for block in blocks(self._path, offset, self._content.size_bytes, BLOCK):
            await call.write(gateway_pb2.UploadAssetRequest(data=block))
            offset += len(block)
            self._tell(offset)

    def _tell(self, arrived: int) -> None:
        self._on_bytes(arrived, self._content.size_bytes)
