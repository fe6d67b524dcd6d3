"""Single services as real processes, to be killed, frozen and restarted at will."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Self

import grpc.aio

from mouthpiece.rpc.channel import dial, is_serving
from mouthpiece.suite import Machine, ServicePlan, Suite, SuiteConfig
from mouthpiece.suite.layout import Stage, child_environment, plan
from mouthpiece.suite.ports import pick
from mouthpiece.suite.process import Child

START_SECONDS = 90


@dataclass
class Process:
    """A service that is down until `start`, and that nobody restarts by himself."""

    plan: ServicePlan
    config: SuiteConfig
    child: Child | None = None

    @property
    def address(self) -> str:
        return self.plan.address

    @property
    def running(self) -> Child:
        assert self.child is not None
        return self.child

    async def start(self) -> None:
        environment = child_environment(self.config, self.plan, os.environ)
        log = self.config.data / f"{self.plan.name}.log"
        self.child = await Child.start(self.plan.module, environment, log)
        async with asyncio.timeout(START_SECONDS):
            while not await serves(self.address):
                assert self.child.exit_code is None, log.read_text()[-2000:]
                await asyncio.sleep(0.05)

    def send(self, number: signal.Signals) -> None:
        """Send a signal, such as SIGSTOP."""
        os.kill(self.running.pid, number)

    async def kill(self) -> None:
        """kill -9, whatever state it is in."""
        if self.child is not None:
            await self.child.kill()

    async def stop(self) -> None:
        """Let it drain."""
        if self.child is not None and self.child.exit_code is None:
            self.send(signal.SIGCONT)
            await self.child.stop(5)

    async def revive_once(self) -> None:
        """Start it again when it has ended."""
        await self.running.wait()
        await self.start()


async def serves(address: str) -> bool:
    """Whether a service answers there, and is ready."""
    async with dial(address) as channel:
        try:
            return await is_serving(channel, 2.0)
        except grpc.aio.AioRpcError:
            return False


@asynccontextmanager
async def twin_of(gateway: Process) -> AsyncGenerator[Process]:
    """One more gateway like a given one, on ports of its own."""
    names = ("PORT", "METRICS_PORT", "HTTP_PORT")
    ports = dict(zip(names, pick([0, 0, 0]), strict=True))
    own = {f"MOUTHPIECE_GATEWAY_{name}": str(port) for name, port in ports.items()}
    environment = {**gateway.plan.environment, **own}
    twin = Process(
        replace(gateway.plan, name="gateway-1", port=ports["PORT"], environment=environment), gateway.config
    )
    try:
        yield twin
    finally:
        await twin.stop()


@dataclass
class Cluster:
    """Speech service, merger and workers that run, and a gateway in front that is started separately.

    `modules` and `environments` replace programs and add to environments, by name of the service.
    """

    data: Path
    workers: int
    modules: Mapping[str, str] = field(default_factory=dict[str, str])
    environments: Mapping[str, Mapping[str, str]] = field(default_factory=dict[str, Mapping[str, str]])
    _stack: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def __aenter__(self) -> Self:
        config = SuiteConfig(self.data, self.workers, grpc_port=0, drain_seconds=1)
        ports = pick([0] * (1 + 2 * (3 + self.workers)))
        plans = [self._changed(each) for each in plan(Machine(2, ()), ports)]
        inner = [each for each in plans if each.stage is Stage.INNER]
        front = [each for each in plans if each.stage is Stage.FRONT]
        self.suite = Suite(config, layout=lambda _machine, _ports: inner)
        await self._stack.enter_async_context(self.suite)
        self.gateway = Process(front[0], config)
        self._stack.push_async_callback(self.gateway.stop)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    def _changed(self, service: ServicePlan) -> ServicePlan:
        module = self.modules.get(service.name, service.module)
        environment = {**service.environment, **self.environments.get(service.name, {})}
        return replace(service, module=module, environment=environment)
