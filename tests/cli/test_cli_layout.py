"""Which processes a machine gets, and on which ports."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from mouthpiece.cli.up import read_config
from mouthpiece.errors import BadInput
from mouthpiece.suite import Gpu, Machine, SuiteConfig
from mouthpiece.suite.layout import child_environment, plan, wanted_ports
from mouthpiece.suite.machine import cpu_limit, usable_cores, visible
from mouthpiece.suite.ports import is_free, pick

GPUS = (Gpu(0, "GPU-aa11", "H200", 141 << 30), Gpu(1, "GPU-bb22", "H200", 141 << 30))


@pytest.mark.parametrize(("cores", "workers"), [(1, 1), (2, 1), (3, 1), (4, 2), (64, 32)])
def test_a_machine_without_gpus_gets_a_worker_per_two_cores(cores: int, workers: int) -> None:
    assert Machine(cores, ()).workers == workers


def test_a_machine_with_gpus_gets_a_worker_for_each() -> None:
    assert Machine(64, GPUS).workers == 2


def test_every_worker_sees_one_gpu() -> None:
    machine = Machine(8, GPUS)
    config = SuiteConfig(Path("data"), workers=3)
    services = plan(machine, wanted_ports(config, machine))
    seen = {
        s.name: s.environment.get("CUDA_VISIBLE_DEVICES") for s in services if s.name.startswith("lipsync")
    }
    assert seen == {"lipsync-0": "GPU-aa11", "lipsync-1": "GPU-bb22", "lipsync-2": "GPU-aa11"}


def test_documented_ports_are_wanted_unless_any_will_do() -> None:
    machine = Machine(2, ())
    config = SuiteConfig(Path("data"), workers=2)
    ports = wanted_ports(config, machine)
    assert ports == [8080, 50051, 9100, 50052, 9101, 50053, 9102, 50060, 9110, 50061, 9111]
    assert wanted_ports(SuiteConfig(Path("data"), workers=2, grpc_port=0), machine) == [0] * 11
    chosen = SuiteConfig(Path("data"), workers=2, grpc_port=0, http_port=8123)
    assert wanted_ports(chosen, machine) == [8123] + [0] * 10


@pytest.mark.parametrize(
    ("options", "variable", "ports"),
    [
        ((None, None), None, (50051, 8080)),
        ((0, None), None, (0, 0)),
        ((0, 8123), None, (0, 8123)),
        ((0, 8123), "8200", (0, 8123)),
        ((0, None), "8200", (0, 8200)),
        ((None, 0), "8200", (50051, 0)),
    ],
)
def test_the_ports_that_were_asked_for_are_taken(
    monkeypatch: pytest.MonkeyPatch,
    options: tuple[int | None, int | None],
    variable: str | None,
    ports: tuple[int, int],
) -> None:
    monkeypatch.delenv("MOUTHPIECE_GATEWAY_HTTP_PORT", raising=False)
    if variable is not None:
        monkeypatch.setenv("MOUTHPIECE_GATEWAY_HTTP_PORT", variable)
    http, grpc, *_ = wanted_ports(read_config(1, Path("data"), *options), Machine(2, ()))
    assert (grpc, http) == ports


def test_the_gateway_is_told_where_everything_is() -> None:
    machine = Machine(2, ())
    services = plan(machine, wanted_ports(SuiteConfig(Path("data"), workers=2), machine))
    assert [service.name for service in services] == ["tts", "merger", "lipsync-0", "lipsync-1", "gateway"]
    gateway = services[-1]
    assert gateway.address == "127.0.0.1:50051"
    assert gateway.environment["MOUTHPIECE_GATEWAY_TTS"] == "127.0.0.1:50052"
    assert gateway.environment["MOUTHPIECE_GATEWAY_MERGER"] == "127.0.0.1:50053"
    assert gateway.environment["MOUTHPIECE_GATEWAY_WORKERS"] == "127.0.0.1:50060,127.0.0.1:50061"


def test_a_process_uses_one_thread_unless_the_caller_says_otherwise() -> None:
    config = SuiteConfig(Path("data"))
    service = plan(Machine(2, ()), wanted_ports(config, Machine(2, ())))[0]
    assert child_environment(config, service, {})["OMP_NUM_THREADS"] == "1"
    environment = child_environment(config, service, {"OMP_NUM_THREADS": "4", "MOUTHPIECE_HOST": "0.0.0.0"})
    assert environment["OMP_NUM_THREADS"] == "4"
    assert environment["MOUTHPIECE_HOST"] == "127.0.0.1"
    assert Path(environment["MOUTHPIECE_DATA"]).is_absolute()


@pytest.mark.parametrize(
    ("workers", "port", "field"), [(0, 1, "workers"), (257, 1, "workers"), (1, 65536, "grpc_port")]
)
def test_a_suite_that_cannot_be_is_refused(workers: int, port: int, field: str) -> None:
    with pytest.raises(BadInput) as raised:
        SuiteConfig(Path("data"), workers=workers, grpc_port=port)
    assert raised.value.violations[0].field == field


@pytest.mark.parametrize(
    ("variable", "seen"),
    [(None, [0, 1]), ("", []), ("1", [1]), ("1,0", [1, 0]), ("GPU-bb", [1]), ("0,7,1", [0]), ("-1", [])],
)
def test_cuda_visible_devices_is_heeded(variable: str | None, seen: list[int]) -> None:
    assert [gpu.index for gpu in visible(GPUS, variable)] == seen


@pytest.mark.parametrize(
    ("text", "cores"),
    [("max 100000\n", None), ("200000 100000\n", 2), ("150000 100000", 2), ("5000 100000", 1)],
)
def test_the_limit_of_a_container_counts(text: str, cores: int | None) -> None:
    assert cpu_limit(text) == cores


def test_this_machine_has_a_core() -> None:
    assert usable_cores() >= 1


def test_a_taken_port_is_replaced_by_another() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert not is_free(port)
        found = pick([port, 0, 0, port])
    assert len(set(found)) == 4
    assert port not in found


def test_a_free_port_is_taken_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    found = pick([port, port])
    assert found[0] == port
    assert found[1] != port
