"""Starts the suite on one machine, keeps it running, and stops it in order."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from types import TracebackType
from typing import Self

import grpc.aio

from mouthpiece.errors import BadInput, MouthpieceError
from mouthpiece.rpc.channel import dial, is_serving
from mouthpiece.suite.layout import ServicePlan, Stage, SuiteConfig, child_environment, plan, wanted_ports
from mouthpiece.suite.lock import locked
from mouthpiece.suite.machine import Machine, look_around
from mouthpiece.suite.ports import HOST, pick, require_free
from mouthpiece.suite.process import Child, last_line

START_SECONDS = 120.0
"""What a service gets from its start to SERVING: a cold disk and a busy machine are slow."""

_POLL_SECONDS = 0.1
_ANSWER_SECONDS = 2.0
_KILL_AFTER_DRAIN = 5.0
_FIRST_RESTART = 0.5
_LONGEST_RESTART = 30.0
_STEADY_SECONDS = 60.0


class Phase(Enum):
    """Where a service is in its life."""

    STARTING = "starting"
    SERVING = "serving"
    CRASHED = "crashed"
    STOPPING = "stopping"
    STOPPED = "stopped"


@dataclass
class Service:
    """One service of the suite, as its supervisor sees it. `said` tells why it crashed."""

    plan: ServicePlan
    log: Path
    phase: Phase = Phase.STOPPED
    said: str = ""
    restarts: int = 0
    child: Child | None = field(default=None, repr=False)


OnChange = Callable[[Service], None]
Layout = Callable[[Machine, Sequence[int]], list[ServicePlan]]


def restart_wait(crashes: int) -> float:
    """Seconds before the next start, after so many crashes in a row: 0.5, 1, 2, … 30."""
    return min(_LONGEST_RESTART, _FIRST_RESTART * 2.0 ** min(crashes - 1, 16))


class Suite:
    """The four services on this machine: ``async with Suite(config) as suite``.

    Inside the context all of them serve, and one that crashes is started again. Leaving it drains the
    gateway first, then the others. No process outlives this one, even when it is killed. `on_change` hears
    of every service that enters a phase; `layout` decides on the processes.
    """

    def __init__(
        self,
        config: SuiteConfig,
        *,
        machine: Machine | None = None,
        on_change: OnChange | None = None,
        layout: Layout = plan,
    ) -> None:
        self._config = config
        self._machine = machine
        self._layout = layout
        self._on_change = on_change
        self._keepers: list[asyncio.Task[None]] = []
        self._stack = AsyncExitStack()
        self._lock = -1
        self.services: list[Service] = []

    @property
    def address(self) -> str:
        """Address of the gateway."""
        return self.services[-1].plan.address

    @property
    def http_url(self) -> str:
        """Where the gateway's page and REST interface are."""
        return f"http://{HOST}:{self.services[-1].plan.http_port}"

    @property
    def data(self) -> Path:
        """The folder of everything that is kept."""
        return self._config.data

    async def __aenter__(self) -> Self:
        """Start everything. Raises `BadInput` (`data`, `grpc_port`, `http_port`) or `MouthpieceError`."""
        async with AsyncExitStack() as stack:
            self._lock = await stack.enter_async_context(locked(self._folder()))
            self._decide()
            stack.push_async_callback(self._stop)
            for stage in Stage:
                await self._start([service for service in self.services if service.plan.stage is stage])
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def kill(self) -> None:
        """End every process at once; what was running is taken up again at the next start."""
        await self._rest()
        await asyncio.gather(*(service.child.kill() for service in self.services if service.child))

    def _folder(self) -> Path:
        data = self._config.data
        try:
            (data / "logs").mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise BadInput("data", f"{data} cannot be used: {error.strerror or error}") from None
        if not os.access(data, os.W_OK):
            raise BadInput("data", f"{data} cannot be written")
        return data

    def _decide(self) -> None:
        config = self._config
        machine = self._machine or look_around()
        http, grpc, *others = wanted_ports(config, machine)
        for port, name in ((grpc, "grpc_port"), (http, "http_port")):
            if port:
                require_free(port, name)
        plans = self._layout(machine, pick([http, grpc, *others]))
        self.services = [Service(each, config.data / "logs" / f"{each.name}.log") for each in plans]

    async def _start(self, services: list[Service]) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                for service in services:
                    group.create_task(self._launch(service))
        except* MouthpieceError as several:
            raise several.exceptions[0] from None
        self._keepers += [asyncio.create_task(self._keep(service)) for service in services]

    async def _launch(self, service: Service) -> None:
        """Start a service and wait until it serves. Raises `MouthpieceError` when it does not."""
        self._enter(service, Phase.STARTING)
        environment = child_environment(self._config, service.plan, os.environ)
        try:
            service.child = await Child.start(service.plan.module, environment, service.log, (self._lock,))
        except OSError as error:  # a full disk holds no log
            wrong = f"{service.plan.name} cannot be started: {error.strerror or error}"
            raise MouthpieceError(wrong) from None
        try:
            async with asyncio.timeout(START_SECONDS):
                await _until_serving(service.plan, service.child)
        except TimeoutError:
            await service.child.kill()
            wrong = f"{service.plan.name} did not serve within {START_SECONDS:g} s"
            raise MouthpieceError(f"{wrong}; its log is {service.log}") from None
        except MouthpieceError as error:
            said = last_line(service.log)
            raise MouthpieceError(f"{error.message}: {said}; its log is {service.log}") from None
        self._enter(service, Phase.SERVING)

    async def _keep(self, service: Service) -> None:
        """Start a service again whenever it ends."""
        crashes = 0
        loop = asyncio.get_running_loop()
        while service.child is not None:
            began = loop.time()
            code = await service.child.wait()
            crashes = 1 if loop.time() - began > _STEADY_SECONDS else crashes + 1
            wait = restart_wait(crashes)
            service.said = f"{_ending(code)}; starts again in {wait:g} s"
            self._enter(service, Phase.CRASHED)
            await asyncio.sleep(wait)
            service.restarts += 1
            with suppress(MouthpieceError):  # it has ended again; the loop sees that, and waits longer
                await self._launch(service)

    async def _stop(self) -> None:
        await self._rest()
        for stage in reversed(Stage):
            ending = [service for service in self.services if service.plan.stage is stage]
            await asyncio.gather(*(self._end(service) for service in ending))

    async def _rest(self) -> None:
        """Start nothing any more."""
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)
        self._keepers.clear()

    async def _end(self, service: Service) -> None:
        if service.child is None:
            return
        self._enter(service, Phase.STOPPING)
        await service.child.stop(self._config.drain_seconds + _KILL_AFTER_DRAIN)
        self._enter(service, Phase.STOPPED)

    def _enter(self, service: Service, phase: Phase) -> None:
        service.phase = phase
        if self._on_change is not None:
            self._on_change(service)


async def _until_serving(plan: ServicePlan, child: Child) -> None:
    while not await _serves(plan.address):
        if child.exit_code is not None:
            raise MouthpieceError(f"{plan.name} did not start ({_ending(child.exit_code)})")
        await asyncio.sleep(_POLL_SECONDS)


async def _serves(address: str) -> bool:
    # A channel for each look: one that lives on waits ever longer before it connects again.
    async with dial(address) as channel:
        try:
            return await is_serving(channel, _ANSWER_SECONDS)
        except grpc.aio.AioRpcError:
            return False


def _ending(code: int) -> str:
    return f"exit code {code}" if code >= 0 else f"killed by signal {-code}"
