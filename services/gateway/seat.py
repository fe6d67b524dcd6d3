"""Whether this gateway leads. All gateways serve the whole API; the one that leads has the scheduler.

On SQLite there is one gateway, and it leads. On PostgreSQL the lease decides: this gateway looks at it every
second, takes it when nobody has it, and then begins a term with what is stored.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Self

from mouthpiece.core.scheduler.events import Event
from mouthpiece.errors import Unavailable
from mouthpiece.v1.gateway_pb2 import JobEvent
from services.gateway import metrics
from services.gateway.database import StoreAway, StoreFull
from services.gateway.director import Director
from services.gateway.lease import RENEW_EVERY, Lease
from services.gateway.notices import Kind, Notice
from services.gateway.outlook import Outlook
from services.gateway.peers import Peers
from services.gateway.store import JobStore
from services.gateway.watching import Watching

log = logging.getLogger(__name__)

LOOK_EVERY = 0.5
"""Seconds between two looks at a lease that another gateway has."""
REST = 0.5
"""Seconds from the end of a term to the next try."""
FULL_REST = 5.0
"""The same, where the term ended because nothing more could be written."""


class Seat:
    """Holds the director of the present term, if it is ours, and what the leader told if it is not."""

    def __init__(
        self,
        store: JobStore,
        lease: Lease | None,
        appoint: Callable[[JobStore], Director],
        watching: Watching,
    ) -> None:
        self.director: Director | None = None
        self._store = store
        self._lease = lease
        self._appoint = appoint
        self._watching = watching
        self._told = Outlook()
        self._settled = asyncio.Event()
        self._vacant = asyncio.Event()
        self._leaving = False
        self._peers: Peers | None = None
        if lease is not None:
            self._peers = Peers(store.engine, self._hear, self._line_up)
            watching.relay = self._peers.show

    @property
    def outlook(self) -> Outlook:
        """How things stand, with us or with the leader."""
        return self.director.outlook() if self.director is not None else self._told

    def tell(self, event: Event) -> None:
        """Let the scheduler know of a worker, if it is here."""
        if self.director is not None:
            self.director.tell(event)

    # ------------------------------------------------------------ life

    async def __aenter__(self) -> Self:
        """Return when it is known who leads; when it is us, when all jobs are taken up."""
        self._task = asyncio.create_task(self._run())
        settled = asyncio.create_task(self._settled.wait())
        await asyncio.wait({self._task, settled}, return_when=asyncio.FIRST_COMPLETED)
        settled.cancel()
        if self._task.done():
            self._task.result()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Step down."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        async with asyncio.TaskGroup() as group:
            if self._peers is not None:
                group.create_task(self._peers.run())
            group.create_task(self._serve_terms())

    async def drain(self) -> None:
        """Let running attempts end, and take no new term."""
        self._leaving = True
        if self.director is not None:
            await self.director.drain()

    async def _serve_terms(self) -> None:
        while True:
            rest = REST
            try:
                await self._serve_term()
            except Unavailable as error:  # the job store, or the artifacts of the jobs that it holds
                log.warning("%s", error.message)
                rest = FULL_REST if isinstance(error, StoreFull) else REST
            await asyncio.sleep(rest)

    # ------------------------------------------------------------ following

    async def _win(self, lease: Lease) -> int:
        """Wait until nobody leads and we are first to take the lease."""
        while True:
            look = await lease.look()
            self._told = look.outlook
            if look.free and not self._leaving:
                term = await lease.take()
                if term is not None:
                    return term
            self._settled.set()
            self._ask_for_progress()
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_EVERY):
                    await self._vacant.wait()
            self._vacant.clear()

    def _ask_for_progress(self) -> None:
        if self._peers is not None:
            for job_id in self._watching.watched():
                self._peers.tell(Notice(Kind.WATCHED, job_id))

    # ------------------------------------------------------------ leading

    async def _serve_term(self) -> None:
        if self._lease is None:
            await self._preside(self._appoint(self._store))
            return
        term = await self._win(self._lease)
        log.info("%s leads in term %d", self._lease.holder, term)
        director = self._appoint(self._store.under(term))
        director.accompany(_renew(self._lease, term, director))
        try:
            await self._preside(director)
        finally:
            log.info("%s leads no more", self._lease.holder)
            with suppress(StoreAway):
                await self._lease.release(term)

    async def _preside(self, director: Director) -> None:
        """Schedule until the term is over; raises why."""
        self.director = director
        metrics.leads(now=True)
        try:
            await director.restore()
            self._settled.set()
            raise await director.over
        finally:
            self.director = None
            metrics.leads(now=False)
            await director.close()

    # ------------------------------------------------------------ what others say

    def _line_up(self) -> None:
        """Notices may have been missed."""
        self._watching.nudge_all()
        if self.director is not None:
            self.director.catch_up()

    def _hear(self, notice: Notice) -> None:
        director = self.director
        match notice.kind:
            case Kind.SUBMITTED if director is not None:
                director.submitted(notice.job)
            case Kind.CALLED_OFF if director is not None:
                director.called_off(notice.job)
            case Kind.WATCHED if self._peers is not None:
                self._peers.want(notice.job)
            case Kind.HAPPENED:
                self._watching.nudge(notice.job)
            case Kind.FORGOTTEN:
                self._watching.end(notice.job)
            case Kind.PROGRESS if director is None:
                self._watching.heard(JobEvent.FromString(notice.body))
            case Kind.VACANT:
                self._vacant.set()
            case _:
                pass


async def _renew(lease: Lease, term: int, director: Director) -> None:
    while True:
        if not await lease.renew(term, director.outlook()):
            raise StoreAway("another gateway has taken over")
        await asyncio.sleep(RENEW_EVERY)
