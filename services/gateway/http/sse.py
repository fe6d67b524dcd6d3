"""Server-sent events: streams that browsers take up again by themselves, from the last id that they saw."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from typing import Any

from starlette.responses import StreamingResponse

from mouthpiece.errors import MouthpieceError

HEARTBEAT_SECONDS = 15.0
"""Silence after which a comment shows that the stream lives; proxies cut silent ones."""

RETRY_MILLISECONDS = 1000
"""When a browser comes back after the stream broke."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event: what kind, its JSON, and the id from which a stream can go on; empty: none."""

    kind: str
    data: dict[str, Any]
    id: str = ""

    def encoded(self) -> bytes:
        """As it goes over the wire."""
        name = f"id: {self.id}\n" if self.id else ""
        return f"{name}event: {self.kind}\ndata: {json.dumps(self.data, separators=(',', ':'))}\n\n".encode()


def event_stream(
    events: AsyncGenerator[Event], stopping: asyncio.Event, heartbeat: float = HEARTBEAT_SECONDS
) -> StreamingResponse:
    """An answer that sends events until they end, or until the server stops."""
    return StreamingResponse(
        _lines(events, stopping, heartbeat),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def _lines(
    events: AsyncGenerator[Event], stopping: asyncio.Event, heartbeat: float
) -> AsyncIterator[bytes]:
    yield f"retry: {RETRY_MILLISECONDS}\n\n".encode()
    stop = asyncio.create_task(stopping.wait())
    coming: asyncio.Task[Event | None] | None = None
    try:
        while not stopping.is_set():
            coming = coming or asyncio.create_task(_next(events))
            waited: set[asyncio.Task[Any]] = {coming, stop}
            await asyncio.wait(waited, timeout=heartbeat, return_when=asyncio.FIRST_COMPLETED)
            if not coming.done():
                yield b": still here\n\n"
                continue
            event, coming = coming.result(), None
            if event is None:
                return
            yield event.encoded()
    except MouthpieceError:
        return  # the client comes back, and is told then
    finally:
        await _end(events, stop, coming)


async def _next(events: AsyncGenerator[Event]) -> Event | None:
    return await anext(events, None)


async def _end(events: AsyncGenerator[Event], *waiting: asyncio.Task[Any] | None) -> None:
    tasks = [task for task in waiting if task is not None]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await events.aclose()
