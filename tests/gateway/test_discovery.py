from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from mouthpiece.artifacts import ArtifactStore
from mouthpiece.core.scheduler.events import Event, WorkerDown, WorkerDraining, WorkerUp
from mouthpiece.errors import BadInput, Unavailable
from mouthpiece.rpc.security import TlsFiles
from mouthpiece.v1.lipsync_pb2_grpc import add_LipSyncServiceServicer_to_server
from services.gateway.discovery import Directory, read_directory, resolve
from services.gateway.fleet import Fleet
from tests.support.gateway_fakes import FakeWorker, serve_fake

LIMIT = 20
NAME = ("lipsync.test", 50060)


class Dns:
    """A name server with one name."""

    def __init__(self, answer: list[str]) -> None:
        self.answer: list[str] | None = answer
        self.asked = asyncio.Condition()

    async def resolve(self, host: str, port: int) -> list[str]:
        assert (host, port) == NAME
        async with self.asked:
            self.asked.notify_all()
        if self.answer is None:
            raise OSError("the name server is away")
        return self.answer

    async def wait_for_questions(self, count: int) -> None:
        async with self.asked:
            for _ in range(count):
                await self.asked.wait()


@pytest.fixture
async def addresses(tmp_path: Path) -> AsyncGenerator[list[str]]:
    """Where three workers are."""
    artifacts = ArtifactStore.open(str(tmp_path))
    async with AsyncExitStack() as stack:
        workers = [
            serve_fake(FakeWorker(f"w{n}", artifacts), "LipSyncService", add_LipSyncServiceServicer_to_server)
            for n in range(3)
        ]
        yield [(await stack.enter_async_context(worker)).address for worker in workers]


def fleet_behind(dns: Dns, told: asyncio.Queue[Event], *fixed: str) -> Fleet:
    return Fleet(Directory(fixed, (NAME,), dns.resolve), told.put_nowait, resolve_every=0.02)


async def hear(told: asyncio.Queue[Event]) -> tuple[type[Event], str]:
    event = await asyncio.wait_for(told.get(), LIMIT)
    assert isinstance(event, WorkerUp | WorkerDraining | WorkerDown)
    return type(event), event.worker


async def test_workers_behind_a_name_come_and_go(addresses: list[str]) -> None:
    dns, told = Dns(addresses[:2]), asyncio.Queue[Event]()
    async with fleet_behind(dns, told) as fleet:
        assert {await hear(told), await hear(told)} == {(WorkerUp, address) for address in addresses[:2]}
        dns.answer = addresses
        assert await hear(told) == (WorkerUp, addresses[2])
        dns.answer = addresses[1:]
        assert await hear(told) == (WorkerDraining, addresses[0])
        assert await hear(told) == (WorkerDown, addresses[0])
        assert set(fleet.members) == set(addresses[1:])


async def test_a_worker_that_leaves_is_dropped_when_its_chunk_has_ended(addresses: list[str]) -> None:
    dns, told = Dns(addresses[:1]), asyncio.Queue[Event]()
    async with fleet_behind(dns, told) as fleet:
        assert await hear(told) == (WorkerUp, addresses[0])
        with fleet.hold(addresses[0]) as member:
            dns.answer = []
            assert await hear(told) == (WorkerDraining, addresses[0])
            await dns.wait_for_questions(3)
            assert fleet.members == {addresses[0]: member}
        assert await hear(told) == (WorkerDown, addresses[0])
        with pytest.raises(Unavailable), fleet.hold(addresses[0]):
            pass


async def test_a_worker_that_comes_back_in_time_was_never_away(addresses: list[str]) -> None:
    dns, told = Dns(addresses[:1]), asyncio.Queue[Event]()
    async with fleet_behind(dns, told) as fleet:
        assert await hear(told) == (WorkerUp, addresses[0])
        with fleet.hold(addresses[0]):
            dns.answer = []
            assert await hear(told) == (WorkerDraining, addresses[0])
            dns.answer = addresses[:1]
            assert await hear(told) == (WorkerUp, addresses[0])
        await dns.wait_for_questions(2)
        assert set(fleet.members) == {addresses[0]}


async def test_a_name_that_cannot_be_looked_up_keeps_its_workers(addresses: list[str]) -> None:
    dns, told = Dns(addresses[:1]), asyncio.Queue[Event]()
    async with fleet_behind(dns, told) as fleet:
        assert await hear(told) == (WorkerUp, addresses[0])
        dns.answer = None
        await dns.wait_for_questions(3)
        assert set(fleet.members) == {addresses[0]}
        assert told.empty()


async def test_a_certificate_that_is_away_for_a_moment_keeps_no_worker_away(
    addresses: list[str], tmp_path: Path
) -> None:
    authority, dns = tmp_path / "authority.pem", Dns([])
    tls = TlsFiles(authority=authority)
    async with Fleet(Directory((), (NAME,), dns.resolve), lambda _: None, tls, 0.02) as fleet:
        dns.answer = addresses[:1]
        await dns.wait_for_questions(3)
        assert not fleet.members
        authority.write_bytes(b"a certificate")
        await dns.wait_for_questions(3)
        assert set(fleet.members) == {addresses[0]}


async def test_workers_that_were_named_one_by_one_stay(addresses: list[str]) -> None:
    dns, told = Dns(addresses), asyncio.Queue[Event]()
    async with fleet_behind(dns, told, addresses[0]) as fleet:
        for _ in addresses:
            await hear(told)
        dns.answer = []
        gone = {await hear(told) for _ in range(4)}
        assert (WorkerDown, addresses[1]) in gone
        await dns.wait_for_questions(2)
        assert set(fleet.members) == {addresses[0]}


def test_the_setting_names_workers_in_both_ways() -> None:
    directory = read_directory("10.0.0.1:50060, dns:lipsync.default.svc:50060,10.0.0.1:50060,")
    assert directory.fixed == ("10.0.0.1:50060",)
    assert directory.names == (("lipsync.default.svc", 50060),)


@pytest.mark.parametrize("setting", ["", " , ", "dns:a", "dns::50060", "dns:a:0", "dns:a:b"])
def test_a_setting_that_makes_no_sense_is_refused(setting: str) -> None:
    with pytest.raises(BadInput):
        read_directory(setting)


async def test_this_machine_can_be_looked_up() -> None:
    found = await resolve("localhost", 50060)
    assert {"127.0.0.1:50060", "[::1]:50060"} & set(found)
