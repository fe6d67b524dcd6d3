"""The lip-sync workers: one channel each, watched once a second."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from types import TracebackType
from typing import TYPE_CHECKING, Self

import grpc.aio

from mouthpiece.core.engines import EngineInfo
from mouthpiece.core.scheduler.events import Event, Offer, WorkerDown, WorkerDraining, WorkerUp
from mouthpiece.errors import Unavailable
from mouthpiece.rpc.channel import dial, is_serving
from mouthpiece.rpc.convert import engine_from_proto
from mouthpiece.v1.lipsync_pb2 import GetWorkerRequest, Worker
from mouthpiece.v1.lipsync_pb2_grpc import LipSyncServiceStub

if TYPE_CHECKING:
    from mouthpiece.v1.lipsync_pb2_grpc import LipSyncServiceAsyncStub

log = logging.getLogger(__name__)

LOOK_EVERY = 1.0
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
        return WorkerUp(self.address, offers, max(1, self.told.slots), tuple(self.told.prepared_avatars))


class Fleet:
    """All workers that were named. Tells the scheduler who comes and goes."""

    def __init__(self, addresses: list[str], tell: Callable[[Event], None]) -> None:
        self._tell = tell
        self.members = {address: Member(address, dial(address)) for address in addresses}
        self._tasks: list[asyncio.Task[None]] = []
        self.changed = asyncio.Event()

    async def __aenter__(self) -> Self:
        """Look at every worker once, then keep looking."""
        await asyncio.gather(*(self._look(member) for member in self.members.values()))
        self._tasks = [asyncio.create_task(self._watch(member)) for member in self.members.values()]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop looking and hang up."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for member in self.members.values():
            await member.channel.close(None)

    def engines(self) -> dict[str, EngineInfo]:
        """Engines that at least one live worker has, by name."""
        return {engine.name: engine for member in self._up() for engine in member.engines}

    def stub_with(self, engine: EngineInfo) -> LipSyncServiceAsyncStub:
        """A live worker that has the engine, the least busy first. Raises `Unavailable`."""
        able = [member for member in self._up() if engine in member.engines]
        if not able:
            raise Unavailable(f"no worker with engine {engine.name!r} is up", 2.0)
        return min(able, key=lambda member: member.told.busy_slots).stub

    def lose(self, address: str, reason: str) -> None:
        """A call to a worker broke: it is gone until it answers again."""
        member = self.members[address]
        if member.standing is not Standing.LOST:
            log.warning("worker %s is lost: %s", member.name, reason)
            self._become(member, Standing.LOST)
            self._tell(WorkerDown(address, reason))

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
        if ready:
            self._seen(member, worker)
        elif member.standing is Standing.UP:
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
        self._notify()

    def _notify(self) -> None:
        self.changed.set()
        self.changed = asyncio.Event()


def _terms(offer: WorkerUp) -> tuple[object, ...]:
    """What must be told again when it changes; learned speed and warm avatars need not."""
    return offer.slots, tuple((o.engine, o.version) for o in offer.offers)
