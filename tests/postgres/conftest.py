from __future__ import annotations

from collections.abc import Generator

import pytest

from tests.support.postgres import Databases, postgres


@pytest.fixture(scope="session")
def databases() -> Generator[Databases]:
    with postgres() as running:
        yield running
