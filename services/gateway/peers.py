"""The line to the other gateways on the same PostgreSQL: LISTEN for their notices, NOTIFY with ours.

Notices about what is stored travel with the transaction that stores it (`JobStore`). Those sent here are
worth only a moment: of several about one job the latest counts, and what is lost while the line is down is
not sent again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import asyncpg
from sqlalchemy import exc as sql_error
from sqlalchemy.ext.asyncio import AsyncEngine

from mouthpiece.v1.gateway_pb2 import JobEvent
from services.gateway.notices import CHANNEL, MOST_BYTES, Kind, Notice, read_notice

log = logging.getLogger(__name__)

REDIAL_AFTER = 0.5
PROVE_EVERY = 2.0
"""Seconds after which a silent line is tried."""
ANSWER_WITHIN = 4.0
SEND_EVERY = 0.2
WANTED_FOR = 4.0
"""How long progress is sent after somebody asked for it."""


class Peers:
    """Hears and tells until `run` is cancelled. `connected` is called when notices may have been missed."""

    def __init__(
        self, engine: AsyncEngine, hear: Callable[[Notice], None], connected: Callable[[], None]
    ) -> None:
        self._engine = engine
        self._hear = hear
        self._connected = connected
        self._loop = asyncio.get_running_loop()
        self._outbox: dict[tuple[Kind, str], str] = {}
        self._filled = asyncio.Event()
        self.wanted: dict[str, float] = {}
        """Until when the progress of a job is wanted, in seconds of the event loop's clock."""

    def tell(self, notice: Notice) -> None:
        """Send a notice soon, unless the line is down."""
        self._outbox[notice.kind, notice.job] = notice.payload()
        self._filled.set()

    def want(self, job_id: str) -> None:
        """Another gateway wants to see the progress of a job."""
        now = self._loop.time()
        self.wanted = {job: until for job, until in self.wanted.items() if until >= now}
        self.wanted[job_id] = now + WANTED_FOR

    def show(self, progress: JobEvent) -> None:
        """Send live figures to those who want them."""
        if self.wanted.get(progress.job_id, 0.0) >= self._loop.time():
            self.tell(Notice(Kind.PROGRESS, progress.job_id, fitting(progress)))

    async def run(self) -> None:
        """Keep the line up."""
        while True:
            try:
                await self._listen()
            except (asyncpg.PostgresError, asyncpg.InterfaceError, sql_error.DBAPIError, OSError) as error:
                log.warning("the line to the other gateways is down: %s", error)
            await asyncio.sleep(REDIAL_AFTER)

    async def _listen(self) -> None:
        async with self._engine.connect() as connection:
            line: Any = (await connection.get_raw_connection()).driver_connection
            try:
                await line.add_listener(CHANNEL, self._heard)
                self._connected()
                while True:
                    await self._send(line)
            finally:
                # The pool is not to get a connection that listens.
                await connection.invalidate()

    async def _send(self, line: Any) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(PROVE_EVERY):
                await self._filled.wait()
        self._filled.clear()
        payloads, self._outbox = list(self._outbox.values()), {}
        send = "SELECT pg_notify($1, payload) FROM unnest($2::text[]) AS payload"
        await line.fetch(send, CHANNEL, payloads, timeout=ANSWER_WITHIN)
        await asyncio.sleep(SEND_EVERY)

    def _heard(self, _line: object, _pid: int, _channel: str, payload: str) -> None:
        try:
            notice = read_notice(payload)
        except ValueError:
            log.debug("a notice of another release: %s", payload[:80])
            return
        self._hear(notice)


def fitting(progress: JobEvent) -> bytes:
    """Progress as bytes that a notice can carry: without some of its chunks when they are too many."""
    content = progress.SerializeToString()
    while len(content) > MOST_BYTES:
        less = JobEvent.FromString(content)
        del less.progress.chunks[len(less.progress.chunks) // 2 :]
        content = less.SerializeToString()
    return content
