from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from mouthpiece.client import Client
from tests.support.cli_fake_gateway import EAGER, FakeGateway


@pytest.fixture
async def gateway() -> AsyncGenerator[FakeGateway]:
    fake = FakeGateway()
    async with fake.serving() as running:
        fake.address = running.address
        yield fake


@pytest.fixture
async def client(gateway: FakeGateway) -> AsyncGenerator[Client]:
    async with Client(gateway.address, patience=EAGER) as client:
        yield client


@pytest.fixture
def portrait(tmp_path: Path) -> Path:
    path = tmp_path / "portrait.png"
    path.write_bytes(bytes(range(251)) * 4000)  # a megabyte that is not a multiple of any block
    return path
