"""The lip-sync workers: one channel each, watched once a second. They may come and go."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Coroutine, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from types import TracebackType
from typing import TYPE_CHECKING, Self

import grpc.aio

from mouthpiece.core.engines import EngineInfo
from mouthpiece.core.scheduler.events import Event, Offer, WorkerDown, WorkerDraining, WorkerUp
from mouthpiece.errors import MouthpieceError, Reason, Unavailable, Unmet
from mouthpiece.rpc.channel import dial, is_serving
from mouthpiece.rpc.convert import engine_from_proto
from mouthpiece.rpc.security import PLAIN, TlsFiles
from mouthpiece.v1.lipsync_pb2 import GetWorkerRequest, Worker
from mouthpiece.v1.lipsync_pb2_grpc import LipSyncServiceStub
from services.gateway import metrics
from services.gateway.discovery import Directory

if TYPE_CHECKING:
    from mouthpiece.v1.lipsync_pb2_grpc import LipSyncServiceAsyncStub

log = logging.getLogger(__name__)

LOOK_EVERY = 1.0
RESOLVE_EVERY = 5.0
"""Seconds between two looks at names in DNS."""
HANG_UP_SECONDS = 5.0
"""What a short call to a worker that leaves gets to end."""
ANSWER_WITHIN = 3.0
MISSES = 3
"""Looks in a row that time out before a worker counts as lost: one that freezes is noticed in 12 s."""


class Standing(Enum):
    """What is known of a worker's readiness."""

    UP = "up"
    DRAINING = "draining"
    LOST = "lost"


@dataclass
class Member:
    """A worker as the gateway sees it. Its address is its identity, its name is for people."""

    address: str
    channel: grpc.aio.Channel
    standing: Standing = Standing.LOST
    told: Worker = field(default_factory=Worker)
    misses: int = 0
    calls: int = 0
    """Chunks that it is rendering for us."""
    leaving: bool = False
    """Whether its address is gone: it gets no more chunks, and is dropped when the last has ended."""
    watch: asyncio.Task[None] | None = None

    @property
    def name(self) -> str:
        """Name for people."""
        return self.told.name or self.address

    @property
    def stub(self) -> LipSyncServiceAsyncStub:
        """Its service."""
        return LipSyncServiceStub(self.channel)

    @property
    def engines(self) -> list[EngineInfo]:
        """What it can render with."""
        return [engine_from_proto(engine) for engine in self.told.engines]

    def offer(self) -> WorkerUp:
        """The scheduler's view of it."""
        rates = self.told.frames_per_second
        offers = tuple(Offer(e.name, e.version, rates.get(e.name, 0.0)) for e in self.told.engines)
        warm = tuple(self.told.prepared_avatars)
        return WorkerUp(self.address, offers, max(1, self.told.slots), warm, self.name)


class Fleet:
    """All workers in a directory. Tells the scheduler who comes and goes."""

    def __init__(
        self,
        directory: Directory,
        tell: Callable[[Event], None],
        tls: TlsFiles = PLAIN,
        resolve_every: float = RESOLVE_EVERY,
    ) -> None:
        self._directory = directory
        self._tell = tell
        self._tls = tls
        self._resolve_every = resolve_every
        self.members: dict[str, Member] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.changed = asyncio.Event()

    async def __aenter__(self) -> Self:
        """Look at every worker once, then keep looking."""
        await self._enlist(await self._directory.addresses())
        if self._directory.names:
            self._start(self._follow())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop looking and hang up."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for member in self.members.values():
            await member.channel.close(None)

    def engines(self) -> dict[str, EngineInfo]:
        """Engines that at least one live worker has, by name."""
        return {engine.name: engine for member in self._up() for engine in member.engines}

    def absence(self, engine: str) -> MouthpieceError | None:
        """Why no live worker can render with an engine that some have: the first that may heal by itself."""
        told = [
            ailment
            for member in self._up()
            for ailment in member.told.engine_ailments
            if ailment.engine == engine
        ]
        if not told:
            return None
        ailment = min(told, key=lambda ailment: ailment.reason != "")
        if ailment.reason:
            return Unmet(Reason(ailment.reason), ailment.description)
        return Unavailable(f"no worker can render with {engine!r} now: {ailment.description}", 2.0)

    def all_engines(self) -> list[EngineInfo]:
        """Every version of every engine that some live worker has."""
        return [engine for member in self._up() for engine in member.engines]

    def offers(self) -> list[WorkerUp]:
        """What every live worker offers."""
        return [member.offer() for member in self._up()]

    def stub_with(self, engine: EngineInfo) -> LipSyncServiceAsyncStub:
        """A live worker that has the engine, the least busy first. Raises `Unavailable`."""
        able = [member for member in self._up() if engine in member.engines]
        if not able:
            raise Unavailable(f"no worker with engine {engine.name!r} is up", 2.0)
        return min(able, key=lambda member: member.told.busy_slots).stub

    def encoders(self, engine: EngineInfo) -> list[frozenset[str]]:
        """What each live worker that has the engine can encode with."""
        return [frozenset(member.told.encoders) for member in self._up() if engine in member.engines]

    def lose(self, address: str, reason: str) -> None:
        """A call to a worker broke: it is gone until it answers again."""
        member = self.members.get(address)
        if member is not None and member.standing is not Standing.LOST:
            log.warning("worker %s is lost: %s", member.name, reason)
            metrics.worker_lost()
            self._become(member, Standing.LOST)
            self._tell(WorkerDown(address, reason))

    @contextmanager
    def hold(self, address: str) -> Generator[Member]:
        """A worker, which is not dropped inside the context. Raises `Unavailable` when it has been."""
        member = self.members.get(address)
        if member is None:
            raise Unavailable(f"there is no worker at {address} any more")
        member.calls += 1
        try:
            yield member
        finally:
            member.calls -= 1
            self._drop_if_idle(member)

    # ------------------------------------------------------------ who belongs to it

    async def _follow(self) -> None:
        while True:
            await asyncio.sleep(self._resolve_every)
            try:
                await self._enlist(await self._directory.addresses())
            except MouthpieceError as error:
                log.warning("the workers stay as they were: %s", error.message)

    async def _enlist(self, addresses: list[str]) -> None:
        """Make these the members; returns when every new one was looked at."""
        for member in list(self.members.values()):
            if member.address not in addresses:
                self._dismiss(member)
            else:
                member.leaving = False
        new = [self._member(address) for address in addresses if address not in self.members]
        self.members |= {member.address: member for member in new}
        self._count()
        await asyncio.gather(*map(self._look, new))
        for member in new:
            member.watch = self._start(self._watch(member))

    def _member(self, address: str) -> Member:
        return Member(address, dial(address, self._tls, name=self._directory.name_of(address)))

    def _dismiss(self, member: Member) -> None:
        """Give a worker nothing more, and drop it when what it has is done."""
        if not member.leaving:
            log.info("worker %s leaves", member.name)
            member.leaving = True
            self._drain(member)
        self._drop_if_idle(member)

    def _drop_if_idle(self, member: Member) -> None:
        if member.leaving and not member.calls and self.members.get(member.address) is member:
            del self.members[member.address]
            self._tell(WorkerDown(member.address, "it left"))
            self._start(_hang_up(member))
            self._count()
            self._notify()

    def _start(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    # ------------------------------------------------------------ how they are

    def _up(self) -> list[Member]:
        return [member for member in self.members.values() if member.standing is Standing.UP]

    async def _watch(self, member: Member) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY)
            await self._look(member)

    async def _look(self, member: Member) -> None:
        try:
            ready = await is_serving(member.channel, ANSWER_WITHIN)
            worker = (await member.stub.GetWorker(GetWorkerRequest(), timeout=ANSWER_WITHIN)).worker
        except grpc.aio.AioRpcError as error:
            self._missed(member, error)
            return
        member.misses = 0
        if ready and not member.leaving:
            self._seen(member, worker)
        else:
            self._drain(member)

    def _drain(self, member: Member) -> None:
        if member.standing is Standing.UP:
            self._become(member, Standing.DRAINING)
            self._tell(WorkerDraining(member.address))

    def _seen(self, member: Member, worker: Worker) -> None:
        before = member.offer() if member.standing is Standing.UP else None
        member.told = worker
        if before is None or _terms(before) != _terms(member.offer()):
            log.info("worker %s is up: %s", member.name, worker.device.name)
            self._become(member, Standing.UP)
            self._tell(member.offer())
        self._notify()

    def _missed(self, member: Member, error: grpc.aio.AioRpcError) -> None:
        member.misses += 1
        gone = error.code() is not grpc.StatusCode.DEADLINE_EXCEEDED
        if gone or member.misses >= MISSES:
            self.lose(member.address, error.details() or error.code().name)

    def _become(self, member: Member, standing: Standing) -> None:
        member.standing = standing
        self._count()
        self._notify()

    def _count(self) -> None:
        found = Counter(member.standing for member in self.members.values())
        metrics.workers_are({standing.value: found[standing] for standing in Standing})

    def _notify(self) -> None:
        self.changed.set()
        self.changed = asyncio.Event()


async def _hang_up(member: Member) -> None:
    if member.watch is not None:
        member.watch.cancel()
        await asyncio.gather(member.watch, return_exceptions=True)
    await member.channel.close(HANG_UP_SECONDS)


def _terms(offer: WorkerUp) -> tuple[object, ...]:
    """What must be told again when it changes; learned speed and warm avatars need not."""
    return offer.slots, tuple((o.engine, o.version) for o in offer.offers)
