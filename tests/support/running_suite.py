"""A suite of real processes behind a client, run from tests that have no event loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

from mouthpiece.client import SyncClient
from mouthpiece.suite import Suite, SuiteConfig
from tests.support.fault_processes import serves

T = TypeVar("T")


@dataclass
class RunningSuite:
    """Two workers, a client, and the loop that the supervisor lives on."""

    suite: Suite
    client: SyncClient
    loop: asyncio.AbstractEventLoop

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(120)

    def service(self, name: str) -> int:
        """Process id of a service such as lipsync-0."""
        child = next(service.child for service in self.suite.services if service.plan.name == name)
        assert child is not None
        return child.pid

    def wait_for_another(self, name: str, old: int) -> None:
        """Return when another process than `old` serves under a name."""
        self.run(self._another(name, old))

    async def _another(self, name: str, old: int) -> None:
        service = next(service for service in self.suite.services if service.plan.name == name)
        while True:
            child = service.child
            if child is not None and child.pid != old and await serves(service.plan.address):
                return
            await asyncio.sleep(0.05)


def start_suite(
    data: Path, workers: int = 2, environment: Mapping[str, str] = MappingProxyType({})
) -> Iterator[RunningSuite]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    suite = Suite(
        SuiteConfig(data=data, workers=workers, grpc_port=0, drain_seconds=2, environment=environment)
    )
    try:
        asyncio.run_coroutine_threadsafe(suite.__aenter__(), loop).result(180)
        try:
            with SyncClient(suite.address) as client:
                yield RunningSuite(suite, client, loop)
        finally:
            asyncio.run_coroutine_threadsafe(suite.__aexit__(None, None, None), loop).result(60)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
