"""Which processes make up a suite on one machine, and what each is told. Decisions only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum
from pathlib import Path

from mouthpiece.errors import BadInput
from mouthpiece.suite.machine import Machine
from mouthpiece.suite.ports import HOST

GATEWAY_PORT = 50051
HTTP_PORT = 8080
MAX_WORKERS = 256

# Workers share the cores by being several processes; libraries that each start a thread per core would only
# get in each other's way.
_ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "NUMEXPR_NUM_THREADS": "1",
    "OPENCV_FOR_THREADS_NUM": "1",
}


class Stage(IntEnum):
    """When a process starts: earlier stages first. It stops in the opposite order."""

    INNER = 0
    FRONT = 1


@dataclass(frozen=True, slots=True)
class SuiteConfig:
    """What is wanted on this machine.

    `workers` None leaves their number to the machine. `grpc_port` 0 takes any free port, for the inner
    services too, so that suites do not meet; so does `http_port` 0 for HTTP, and None where the gateway's is
    any. Running work gets `drain_seconds` to end at a stop.
    """

    data: Path
    workers: int | None = None
    grpc_port: int = GATEWAY_PORT
    drain_seconds: float = 30.0
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    http_port: int | None = None

    def __post_init__(self) -> None:
        if self.workers is not None and not 1 <= self.workers <= MAX_WORKERS:
            raise BadInput("workers", f"{self.workers} is not between 1 and {MAX_WORKERS}")
        for name, port in (("grpc_port", self.grpc_port), ("http_port", self.http_port or 0)):
            if not 0 <= port <= 65535:
                raise BadInput(name, f"{port} is not a port")


@dataclass(frozen=True, slots=True)
class ServicePlan:
    """One process: its name, its module, where it listens, what its environment adds, when it starts.

    `http_port` is 0 for all but the gateway.
    """

    name: str
    module: str
    port: int
    environment: Mapping[str, str]
    stage: Stage
    device: str = ""
    http_port: int = 0

    @property
    def address(self) -> str:
        """Where its gRPC service is."""
        return f"{HOST}:{self.port}"


def wanted_ports(config: SuiteConfig, machine: Machine) -> list[int]:
    """The documented ports: of HTTP, then for gRPC and metrics of each process; 0 (any) for all that are not
    asked for, without a gateway port.

    In order: HTTP, gateway, tts, merger, workers.
    """
    workers = range(config.workers or machine.workers)
    ports = [GATEWAY_PORT, 9100, 50052, 9101, 50053, 9102]
    ports += [port for n in workers for port in (50060 + n, 9110 + n)]
    if not config.grpc_port:
        return [config.http_port or 0] + [0] * len(ports)
    return [HTTP_PORT if config.http_port is None else config.http_port, config.grpc_port, *ports[1:]]


def plan(machine: Machine, ports: Sequence[int]) -> list[ServicePlan]:
    """The processes of a suite, in the order in which they start, on ports laid out as in `wanted_ports`."""
    http, *rest = ports
    pairs = zip(rest[::2], rest[1::2], strict=True)
    gateway_ports = next(pairs)
    tts = _service("tts", *next(pairs))
    merger = _service("merger", *next(pairs))
    workers = [_worker(n, machine, *pair) for n, pair in enumerate(pairs)]
    gateway = _service("gateway", *gateway_ports, stage=Stage.FRONT)
    addresses = {
        "MOUTHPIECE_GATEWAY_HTTP_PORT": str(http),
        "MOUTHPIECE_GATEWAY_TTS": tts.address,
        "MOUTHPIECE_GATEWAY_MERGER": merger.address,
        "MOUTHPIECE_GATEWAY_WORKERS": ",".join(worker.address for worker in workers),
    }
    gateway = replace(gateway, environment={**gateway.environment, **addresses}, http_port=http)
    return [tts, merger, *workers, gateway]


def child_environment(
    config: SuiteConfig, service: ServicePlan, inherited: Mapping[str, str]
) -> dict[str, str]:
    """The whole environment of a process. What the caller's environment says of threads is kept."""
    return {
        **_ONE_THREAD,
        **inherited,
        "MOUTHPIECE_DATA": str(config.data.absolute()),
        "MOUTHPIECE_HOST": HOST,
        "MOUTHPIECE_DRAIN_SECONDS": f"{config.drain_seconds:g}",
        **service.environment,
        **config.environment,
    }


def _service(name: str, port: int, metrics_port: int, stage: Stage = Stage.INNER) -> ServicePlan:
    environment = {
        f"MOUTHPIECE_{name.upper()}_PORT": str(port),
        f"MOUTHPIECE_{name.upper()}_METRICS_PORT": str(metrics_port),
    }
    return ServicePlan(name, f"services.{name}", port, environment, stage)


def _worker(number: int, machine: Machine, port: int, metrics_port: int) -> ServicePlan:
    worker = _service("lipsync", port, metrics_port)
    name = f"lipsync-{number}"
    environment = {**worker.environment, "MOUTHPIECE_LIPSYNC_NAME": name}
    if not machine.gpus:
        return replace(worker, name=name, environment=environment, device="cpu")
    gpu = machine.gpus[number % len(machine.gpus)]
    environment["CUDA_VISIBLE_DEVICES"] = gpu.uuid
    return replace(worker, name=name, environment=environment, device=f"{gpu.name} ({gpu.index})")
