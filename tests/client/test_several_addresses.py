from __future__ import annotations

from pathlib import Path

import pytest

from mouthpiece.client import Client
from mouthpiece.errors import BadInput, Unavailable
from tests.support.cli_fake_gateway import EAGER, VIDEO, FakeGateway

NOBODY = "127.0.0.1:1"


async def test_a_gateway_that_does_not_answer_is_passed_over(gateway: FakeGateway, tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"
    async with Client(f"{NOBODY}, {gateway.address}", patience=EAGER) as client:
        await client.generate(out, text="Hello.")
    assert out.read_bytes() == VIDEO


async def test_connecting_finds_the_gateway_that_is_there(gateway: FakeGateway) -> None:
    async with Client(f"{NOBODY},{gateway.address},{NOBODY}", patience=EAGER) as client:
        await client.connect()
        await client.cluster()


async def test_connecting_fails_only_when_nobody_is_there() -> None:
    async with Client(f"{NOBODY},127.0.0.1:2", patience=EAGER) as client:
        with pytest.raises(Unavailable):
            await client.connect()


def test_every_address_has_to_be_one() -> None:
    with pytest.raises(BadInput):
        Client("localhost:50051,elsewhere")
