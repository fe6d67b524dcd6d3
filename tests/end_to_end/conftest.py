"""One suite of real processes for all end-to-end tests of a test process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.running_suite import RunningSuite, start_suite


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSuite]:
    yield from start_suite(tmp_path_factory.mktemp("suite"))


@pytest.fixture
def suite_with(tmp_path: Path) -> Iterator[Callable[..., RunningSuite]]:
    """A suite of one's own, to break."""
    started: list[Iterator[RunningSuite]] = []

    def start(workers: int = 2, **environment: str) -> RunningSuite:
        own = start_suite(tmp_path / f"suite{len(started)}", workers, environment)
        started.append(own)
        return next(own)

    yield start
    for own in started:
        next(own, None)
