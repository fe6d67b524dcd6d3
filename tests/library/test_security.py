from __future__ import annotations

import socket
from pathlib import Path

import grpc.aio
import pytest
import trustme

from mouthpiece.errors import BadInput
from mouthpiece.rpc.channel import dial, is_serving
from mouthpiece.rpc.security import PLAIN, TlsFiles
from mouthpiece.rpc.server import Program, serving
from mouthpiece.settings import CommonSettings
from mouthpiece.v1.merger_pb2_grpc import add_MergerServiceServicer_to_server
from tests.support.certificates import issue
from tests.support.gateway_fakes import FakeMerger

HOST = "127.0.0.1"


class Merger(FakeMerger):
    """Is there."""

    def __init__(self) -> None: ...

    async def load(self) -> None: ...

    async def close(self) -> None: ...


def program(*, asks_callers: bool = True) -> Program:
    servicer = Merger()

    def register(server: grpc.aio.Server) -> None:
        add_MergerServiceServicer_to_server(servicer, server)

    return Program("mouthpiece.v1.MergerService", servicer, register, asks_callers=asks_callers)


async def gets_in(address: str, tls: TlsFiles) -> bool:
    async with dial(address, tls) as channel:
        try:
            return await is_serving(channel, 5)
        except grpc.aio.AioRpcError:
            return False


async def test_services_with_certificates_of_one_authority_reach_each_other(tmp_path: Path) -> None:
    files = issue(tmp_path, trustme.CA(), HOST)
    async with serving(program(), HOST, 0, 1, files) as running:
        assert await gets_in(running.address, files)


async def test_a_caller_without_a_certificate_or_with_another_authoritys_stays_out(tmp_path: Path) -> None:
    ours = issue(tmp_path / "ours", trustme.CA(), HOST)
    theirs = issue(tmp_path / "theirs", trustme.CA(), HOST)
    mixed = TlsFiles(theirs.certificate, theirs.key, ours.authority)
    async with serving(program(), HOST, 0, 1, ours) as running:
        assert not await gets_in(running.address, PLAIN)
        assert not await gets_in(running.address, TlsFiles(authority=ours.authority))
        assert not await gets_in(running.address, mixed)


async def test_a_caller_finds_out_that_the_service_is_not_the_one_it_trusts(tmp_path: Path) -> None:
    ours = issue(tmp_path / "ours", trustme.CA(), HOST)
    theirs = issue(tmp_path / "theirs", trustme.CA(), HOST)
    async with serving(program(asks_callers=False), HOST, 0, 1, theirs) as running:
        assert not await gets_in(running.address, ours)


async def test_a_gateway_lets_clients_in_without_a_certificate(tmp_path: Path) -> None:
    files = issue(tmp_path, trustme.CA(), HOST)
    async with serving(program(asks_callers=False), HOST, 0, 1, files) as running:
        assert await gets_in(running.address, TlsFiles(authority=files.authority))


async def test_a_replaced_certificate_is_used_for_new_connections(tmp_path: Path) -> None:
    files = issue(tmp_path / "files", trustme.CA(), HOST)
    async with serving(program(asks_callers=False), HOST, 0, 1, files) as running:
        assert await gets_in(running.address, TlsFiles(authority=files.authority))
        renewed = trustme.CA()
        other = issue(tmp_path / "renewed", renewed, HOST)
        for old, new in ((files.certificate, other.certificate), (files.key, other.key)):
            assert old is not None
            assert new is not None
            new.replace(old)
        assert await gets_in(running.address, TlsFiles(authority=other.authority))


async def test_files_that_are_not_there_are_found_before_serving(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot read"):
        async with serving(program(), HOST, 0, 1, TlsFiles(tmp_path / "no", tmp_path / "key")):
            pass


def test_a_certificate_needs_its_key(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="together"):
        TlsFiles(certificate=tmp_path / "certificate.pem")


def test_a_service_can_be_told_not_to_start_without_tls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOUTHPIECE_TLS_REQUIRED", "true")
    settings = CommonSettings.read()
    with pytest.raises(BadInput, match="TLS_CERTIFICATE"):
        _ = settings.tls


async def test_health_is_also_told_without_tls_on_a_port_of_its_own(tmp_path: Path, free_port: int) -> None:
    files = issue(tmp_path, trustme.CA(), HOST)
    async with serving(program(), HOST, 0, 1, files, free_port) as running:
        assert await gets_in(f"{HOST}:{free_port}", PLAIN)
        assert not await gets_in(running.address, PLAIN)


@pytest.fixture
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
