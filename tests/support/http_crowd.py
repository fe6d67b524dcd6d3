"""Many who watch one job over HTTP, each on a connection of its own, at little cost: plain sockets."""

from __future__ import annotations

import asyncio
import hashlib
import re
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

POLL_SECONDS = 1.0
"""How often a player reads the playlist again."""

_LONGEST_LINE = 1 << 20
_TIME = re.compile(rb'"time":"([^"]+)"')


@dataclass(frozen=True)
class Watched:
    """What one watcher was told: numbers of stored events, live figures seen, and the delays in seconds
    of what happened after the stream had begun."""

    numbers: tuple[int, ...]
    delays: tuple[float, ...]
    live: int


@dataclass(frozen=True)
class Viewed:
    """What one player got: how many parts, how many bytes, and the hash of all of it."""

    parts: int
    size: int
    sha256: str


@dataclass(frozen=True)
class Crowd:
    """Who looks at a job at an address."""

    host: str
    port: int
    job: str
    watchers: int
    viewers: int


def run_crowd(crowd: Crowd) -> tuple[list[Watched], list[Viewed]]:
    """All of them, in a process that has nothing else to do, until the job has ended."""
    return asyncio.run(look(crowd))


async def look(
    crowd: Crowd, arrived: Callable[[], None] = lambda: None
) -> tuple[list[Watched], list[Viewed]]:
    """All of them at once; `arrived` is called for each watcher whose stream has begun."""
    viewing = asyncio.gather(*(_view(crowd) for _ in range(crowd.viewers)))
    watching = asyncio.gather(*(_watch(crowd, arrived) for _ in range(crowd.watchers)))
    return await watching, await viewing


async def _watch(crowd: Crowd, arrived: Callable[[], None]) -> Watched:
    numbers: list[int] = []
    delays: list[float] = []
    live = 0
    async with _connection(crowd) as connection:
        await connection.ask(f"/api/events/{crowd.job}", expected=200)
        began = time.time()
        arrived()
        async for event in _events(connection.body()):
            now = time.time()
            if event.startswith(b"id: "):
                numbers.append(int(event[4 : event.index(b"\n")]))
                happened = _time_of(event)
                delays += [now - happened] if happened > began else []
            elif b"event: progress" in event:
                live += 1
    return Watched(tuple(numbers), tuple(delays), live)


async def _view(crowd: Crowd) -> Viewed:
    """Plays as players do: reads the playlist again and again, and each part once."""
    seen: set[str] = set()
    digest, size = hashlib.sha256(), 0
    async with _connection(crowd) as connection:
        while True:
            lines = await _playlist(connection, crowd.job)
            for name in _names(lines):
                if name not in seen:
                    seen.add(name)
                    await connection.ask(f"/api/stream/{crowd.job}/{name}", expected=200)
                    part = await connection.whole()
                    digest.update(part)
                    size += len(part)
            if lines[-1] == "#EXT-X-ENDLIST":
                return Viewed(len(seen), size, digest.hexdigest())
            await asyncio.sleep(POLL_SECONDS)


async def _playlist(connection: _Connection, job: str) -> list[str]:
    """The playlist; the first segment may take longer than one request may."""
    while await connection.ask(f"/api/stream/{job}/index.m3u8") == 503:
        await connection.whole()
    return (await connection.whole()).decode().splitlines()


def _names(lines: list[str]) -> list[str]:
    maps = [line.split('"')[1] for line in lines if line.startswith("#EXT-X-MAP")]
    return maps + [line for line in lines if not line.startswith("#")]


def _time_of(event: bytes) -> float:
    found = _TIME.search(event)
    assert found is not None, event
    return datetime.fromisoformat(found[1].decode()).timestamp()


async def _events(blocks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    kept = b""
    async for block in blocks:
        *events, kept = (kept + block).split(b"\n\n")
        for event in events:
            yield event


class _Connection:
    """One connection of HTTP/1.1, kept alive between requests."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str) -> None:
        self._reader = reader
        self._writer = writer
        self._host = host
        self._length: int | None = None

    async def ask(self, path: str, expected: int = 0) -> int:
        """The status of an answer whose body has to be read next."""
        self._writer.write(f"GET {path} HTTP/1.1\r\nHost: {self._host}\r\n\r\n".encode())
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = re.search(r"content-length: (\d+)", head)
        self._length = int(length[1]) if length else None
        status = int(head.split()[1])
        assert expected in {0, status}, f"{path}: {head} {await self.whole()!r}"
        return status

    async def body(self) -> AsyncGenerator[bytes]:
        """What was asked for, as it comes."""
        if self._length is not None:
            yield await self._reader.readexactly(self._length)
            return
        while size := int(await self._reader.readuntil(b"\r\n"), 16):
            yield (await self._reader.readexactly(size + 2))[:-2]
        await self._reader.readexactly(2)

    async def whole(self) -> bytes:
        """All of what was asked for."""
        return b"".join([block async for block in self.body()])


@asynccontextmanager
async def _connection(crowd: Crowd) -> AsyncGenerator[_Connection]:
    reader, writer = await asyncio.open_connection(crowd.host, crowd.port, limit=_LONGEST_LINE)
    try:
        yield _Connection(reader, writer, crowd.host)
    finally:
        writer.close()
        await writer.wait_closed()
