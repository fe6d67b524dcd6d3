"""Server-sent events: streams that browsers take up again by themselves, from the last id that they saw."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

from starlette.responses import StreamingResponse

from mouthpiece.errors import MouthpieceError

HEARTBEAT_SECONDS = 15.0
"""Silence after which a comment shows that the stream lives; proxies cut silent ones."""

MOST_AT_ONCE = 64
"""Events that are written together when they are there already: a write costs more than an event."""

RETRY_MILLISECONDS = 1000
"""When a browser comes back after the stream broke."""


def encoded(kind: str, data: dict[str, Any], number: int = 0) -> bytes:
    """An event as it goes over the wire: what kind, its JSON, and from which a stream can go on; 0: none."""
    name = f"id: {number}\n" if number else ""
    return f"{name}event: {kind}\ndata: {json.dumps(data, separators=(',', ':'))}\n\n".encode()


def event_stream(
    events: AsyncGenerator[bytes], stopping: asyncio.Event, heartbeat: float = HEARTBEAT_SECONDS
) -> StreamingResponse:
    """An answer that sends encoded events until they end, or until the server stops."""
    return StreamingResponse(
        _lines(events, stopping, heartbeat),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def _lines(
    events: AsyncGenerator[bytes], stopping: asyncio.Event, heartbeat: float
) -> AsyncIterator[bytes]:
    yield f"retry: {RETRY_MILLISECONDS}\n\n".encode()
    stop = asyncio.create_task(stopping.wait())
    coming = asyncio.create_task(_next(events))
    try:
        while not stopping.is_set():
            waited: set[asyncio.Task[Any]] = {coming, stop}
            await asyncio.wait(waited, timeout=heartbeat, return_when=asyncio.FIRST_COMPLETED)
            if not coming.done():
                yield b": still here\n\n"
                continue
            there: list[bytes] = []
            while coming.done() and len(there) < MOST_AT_ONCE and (event := coming.result()):
                there.append(event)
                coming = asyncio.create_task(_next(events))
                await asyncio.sleep(0)  # one turn is enough for an event that waits for nothing
            if not there:
                return
            yield b"".join(there)
    except MouthpieceError:
        return  # the client comes back, and is told then
    finally:
        await _end(events, stop, coming)


async def _next(events: AsyncGenerator[bytes]) -> bytes | None:
    return await anext(events, None)


async def _end(events: AsyncGenerator[bytes], *tasks: asyncio.Task[Any]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await events.aclose()
