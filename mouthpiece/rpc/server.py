"""The life of a service: listen, load, serve, drain, close. The same for all four.

    starting ──load()──▶ serving ──SIGTERM──▶ draining ──drain(), at most drain_seconds──▶ closed
    NOT_SERVING          SERVING              NOT_SERVING

While it is not serving, calls are refused with UNAVAILABLE, which clients retry; health and reflection
always answer. The health of `grpc.health.v1.Health` itself is SERVING throughout: what drains is alive.
"""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from ipaddress import ip_address
from typing import ClassVar, Protocol

import grpc.aio
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1._async import HealthServicer
from grpc_reflection.v1alpha import reflection
from prometheus_client import start_http_server

from mouthpiece.errors import MouthpieceError, Unavailable
from mouthpiece.logs import configure_logging
from mouthpiece.rpc import metrics, tracing
from mouthpiece.rpc.channel import SERVER_OPTIONS
from mouthpiece.rpc.interceptor import Admit, EdgeInterceptor
from mouthpiece.rpc.security import PLAIN, TlsFiles, server_credentials
from mouthpiece.settings import CommonSettings

log = logging.getLogger(__name__)

_ALIVE = health_pb2.DESCRIPTOR.services_by_name["Health"].full_name


class Servicer(Protocol):
    """What a service does beyond answering calls."""

    async def load(self) -> None:
        """Open what calls need. Calls are refused until it returns."""
        ...

    async def drain(self) -> None:
        """Return when running work has ended or was handed back; no new calls arrive meanwhile."""
        ...

    async def close(self) -> None:
        """Release everything; also called when `load` failed half-way."""
        ...


@dataclass(frozen=True, slots=True)
class Program:
    """A service and how it is offered.

    `service` is its full proto name, `always` names methods that are answered while draining too, `admit`
    refuses callers; `identifies` says that it knows them by their tokens. `asks_callers`: with TLS, callers
    need a certificate of the common authority.
    """

    service: str
    servicer: Servicer
    register: Callable[[grpc.aio.Server], None]
    always: frozenset[str] = frozenset()
    admit: Admit = lambda _method, _headers: None
    identifies: bool = False
    asks_callers: bool = True


class Offered(Protocol):
    """Settings of a service, as far as all services have them."""

    table: ClassVar[str]

    @property
    def port(self) -> int:
        """gRPC port."""
        ...

    @property
    def metrics_port(self) -> int:
        """Prometheus port; 0: none."""
        ...


@dataclass
class Running:
    """A service that is up: where it listens, and how to make it drain."""

    address: str
    port: int
    stop: asyncio.Event


class _Gate:
    """Says whether calls are let in."""

    def __init__(self, program: Program) -> None:
        self._always = {f"/{program.service}/{method}" for method in program.always}
        self._admit = program.admit
        self.closed: str | None = "loading"

    def admit(self, method: str, headers: Mapping[str, str]) -> None:
        if self.closed is not None and not (self.closed == "draining" and method in self._always):
            raise Unavailable(f"the service is {self.closed}")
        self._admit(method, headers)


@asynccontextmanager
async def serving(
    program: Program,
    host: str,
    port: int,
    drain_seconds: float,
    tls: TlsFiles = PLAIN,
    health_port: int = 0,
) -> AsyncGenerator[Running]:
    """Serve inside the context; leaving it drains and closes. Port 0 takes any free one.

    With a health port, health is also there, without TLS.

    Raises `MouthpieceError` when the port is taken, and `BadInput` when a TLS file cannot be read.
    """
    gate = _Gate(program)
    health = HealthServicer()
    server = grpc.aio.server(interceptors=[EdgeInterceptor(gate.admit)], options=SERVER_OPTIONS)
    program.register(server)
    health_pb2_grpc.add_HealthServicer_to_server(health, server)
    reflection.enable_server_reflection((program.service, _ALIVE, reflection.SERVICE_NAME), server)
    bound = _bind(server, program, f"{host}:{port}", tls)
    await health.set(_ALIVE, health_pb2.HealthCheckResponse.SERVING)
    await _set_health(health, program, up=False)
    async with AsyncExitStack() as stack:
        if health_port:
            await stack.enter_async_context(_health_only(health, f"{host}:{health_port}"))
        await server.start()
        stack.push_async_callback(server.stop, 1)
        stack.push_async_callback(program.servicer.close)
        await program.servicer.load()
        gate.closed = None
        await _set_health(health, program, up=True)
        log.info("%s serves on %s:%d", program.service, host, bound)
        try:
            yield Running(f"{host}:{bound}", bound, asyncio.Event())
        finally:
            gate.closed = "draining"
            await _set_health(health, program, up=False)
            await _drain(program, drain_seconds)


@asynccontextmanager
async def _health_only(health: HealthServicer, address: str) -> AsyncGenerator[None]:
    server = grpc.aio.server(options=SERVER_OPTIONS)
    health_pb2_grpc.add_HealthServicer_to_server(health, server)
    _listen(server, address)
    await server.start()
    try:
        yield
    finally:
        await server.stop(1)


def _bind(server: grpc.aio.Server, program: Program, address: str, tls: TlsFiles) -> int:
    if not tls.used:
        return _listen(server, address)
    ask_callers = program.asks_callers and tls.authority is not None
    return _listen(server, address, server_credentials(tls, ask_callers=ask_callers))


def _listen(server: grpc.aio.Server, address: str, credentials: grpc.ServerCredentials | None = None) -> int:
    try:
        if credentials is None:
            return server.add_insecure_port(address)
        return server.add_secure_port(address, credentials)
    except RuntimeError:
        raise MouthpieceError(f"cannot listen on {address}: is the port taken?") from None


async def _drain(program: Program, limit: float) -> None:
    try:
        await asyncio.wait_for(program.servicer.drain(), limit)
    except TimeoutError:
        log.warning("%s: work still running after %g s is called off", program.service, limit)


async def _set_health(health: HealthServicer, program: Program, *, up: bool) -> None:
    status = health_pb2.HealthCheckResponse.SERVING if up else health_pb2.HealthCheckResponse.NOT_SERVING
    for name in ("", program.service):
        await health.set(name, status)


async def _run(program: Program, common: CommonSettings, port: int, metrics_port: int) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    metrics.program_started(common.folders)
    exporter = start_http_server(metrics_port, addr=common.host)[0] if metrics_port else None
    try:
        async with serving(program, common.host, port, common.drain_seconds, common.tls, common.health_port):
            await stop.wait()
            log.info("%s drains", program.service)
    finally:
        if exporter is not None:
            exporter.shutdown()
            exporter.server_close()


def _warn_if_open(program: Program, common: CommonSettings) -> None:
    """Say loudly what lets anybody in who reaches the service."""
    if _is_loopback(common.host):
        return
    if not common.tls.used:
        log.warning("%s listens on %s without TLS: see docs/security.md", program.service, common.host)
    if not program.identifies and not (program.asks_callers and common.tls.authority):
        log.warning("%s on %s lets everybody in: see docs/security.md", program.service, common.host)


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def run(program: Program, common: CommonSettings, settings: Offered) -> None:
    """Serve until SIGTERM or SIGINT, then drain. The body of every service's main program."""
    configure_logging(common.log_level, common.log_format, tracing.log_fields)
    try:
        if common.tracing:
            tracing.switch_on(f"mouthpiece-{settings.table}")
        _warn_if_open(program, common)
        asyncio.run(_run(program, common, settings.port, settings.metrics_port))
    except MouthpieceError as error:
        raise SystemExit(f"{program.service}: {error.message}") from None
    finally:
        tracing.switch_off()
