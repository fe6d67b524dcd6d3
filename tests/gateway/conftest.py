"""What most tests of the gateway begin with."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from tests.support.gateway_fakes import FakeSuite, fake_suite


@pytest.fixture
async def suite(tmp_path: Path) -> AsyncGenerator[FakeSuite]:
    """A gateway of one's own among two workers."""
    async with fake_suite(tmp_path) as running:
        yield running
