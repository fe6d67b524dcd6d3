"""How a worker's device fares, as it tells it and as it is shown."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from prometheus_client import REGISTRY
from rich.console import Console

from mouthpiece.cli import tables
from mouthpiece.cli.console import THEME
from mouthpiece.settings import LipSyncSettings
from mouthpiece.v1 import common_pb2, gateway_pb2
from mouthpiece.v1 import lipsync_pb2 as pb
from services.gateway.http.reports import gpu_of
from services.lipsync import engines
from services.lipsync.device import Device, find_device
from services.lipsync.nvml import Gpu
from services.lipsync.telemetry import FRESH_SECONDS, Reading, Telemetry, open_telemetry, read_gpu
from tests.support.lipsync_nvml import Card, FakeNvml
from tests.support.lipsync_worker import PATIENCE, HeldEngine, chunk_request, service, with_portrait


def test_a_whole_gpu_tells_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = FakeNvml(monkeypatch, Card(encoder=25))
    with Gpu("0") as gpu:
        told = read_gpu(gpu)
    assert told == Reading(0.4, 20 << 30, 350.0, 700.0, 54.0, 5000.0, 0.25)
    assert driver.opened == 0


def test_a_part_of_a_gpu_tells_its_memory_and_the_power_of_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    FakeNvml(monkeypatch, Card("GPU-a"), Card("GPU-b", parts=("MIG-1", "MIG-2")))
    with Gpu("MIG-2") as gpu:
        told = read_gpu(gpu)
    assert (told.utilization, told.memory_used_bytes, told.power_watts) == (None, 18 << 28, 350.0)
    assert find_device({"CUDA_VISIBLE_DEVICES": "MIG-2"}) == Device("cuda", "Card 1 MIG 1g.18gb", 1, 18 << 30)


def test_a_divided_gpu_named_by_its_number_is_its_first_part(monkeypatch: pytest.MonkeyPatch) -> None:
    FakeNvml(monkeypatch, Card(parts=("MIG-1", "MIG-2")))
    assert find_device({}).memory_bytes == 18 << 30


def test_what_a_card_does_not_tell_is_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    FakeNvml(monkeypatch, Card(load=None, milliwatts=None, millijoules=None))
    with Gpu("GPU-aaaa") as gpu:
        told = read_gpu(gpu)
    assert (told.utilization, told.power_watts, told.energy_joules) == (None, None, None)
    assert told.encoder_utilization is None
    assert told.temperature_celsius == 54


def test_many_who_ask_at_once_share_one_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    driver, now = FakeNvml(monkeypatch, Card()), [0.0]
    telemetry = Telemetry(Gpu("0"), lambda: now[0])
    first = telemetry.read()
    assert telemetry.read() is first
    assert driver.asked == 1
    driver.cards[0].load = 90
    now[0] = FRESH_SECONDS
    assert telemetry.read().utilization == 0.9
    telemetry.close()
    assert driver.opened == 0


def test_without_a_gpu_the_process_tells_its_own_load_and_memory() -> None:
    now = [0.0]
    telemetry = Telemetry(None, lambda: now[0])
    now[0] = 1e6
    told = telemetry.read()
    assert told.utilization is not None
    assert 0 <= told.utilization < 0.01
    assert told.memory_used_bytes is not None
    assert told.memory_used_bytes > 1 << 20
    assert (told.power_watts, telemetry.energy_joules()) == (None, None)


def test_a_machine_without_a_driver_is_no_error() -> None:
    telemetry = open_telemetry({"CUDA_VISIBLE_DEVICES": "GPU-00000000"})
    assert telemetry.read().temperature_celsius is None
    telemetry.close()


async def test_a_worker_tells_how_its_gpu_fares_and_what_a_chunk_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, portrait_file: Path
) -> None:
    driver, held = FakeNvml(monkeypatch, Card()), HeldEngine()
    monkeypatch.setitem(engines.ENGINES, "held", lambda _: held)
    with_portrait(tmp_path, portrait_file)
    async with service(tmp_path, LipSyncSettings(engines="held")) as running:
        worker = await running.worker()
        assert worker.telemetry.utilization == 0.4
        assert not worker.telemetry.HasField("encoder_utilization")
        assert REGISTRY.get_sample_value("mouthpiece_lipsync_device_power_watts") == 350.0
        assert REGISTRY.get_sample_value("mouthpiece_lipsync_device_encoder_utilization") is None
        energy = 0.0
        async for message in running.stub.RenderChunk(chunk_request("held", 0, 3)):
            energy = message.result.energy_joules
            if message.HasField("accepted"):
                await asyncio.to_thread(held.started.wait, PATIENCE)
                driver.cards[0].millijoules = 5_021_500
                held.permits.release(3)
        assert energy == 21.5
    assert driver.opened == 0


def test_people_see_what_is_known() -> None:
    known = pb.Telemetry(utilization=0.0, memory_used_bytes=3 << 30, temperature_celsius=61)
    worker = pb.Worker(name="lipsync-0", device=common_pb2.Device(name="Card 0"), telemetry=known)
    member = gateway_pb2.ClusterWorker(worker=worker)
    console = Console(width=160, theme=THEME)
    with console.capture() as captured:
        console.print(tables.workers(gateway_pb2.Cluster(workers=[member])))
    text = captured.get()
    assert "0 % busy" in text
    assert "61 °C" in text
    assert " W" not in text
    gpu = gpu_of(member)
    assert (gpu["utilization"], gpu["memory_used"], gpu["power_watts"]) == (0.0, 3 << 30, None)
