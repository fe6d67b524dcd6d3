"""What a worker says it computes on."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.lipsync.device import Device, cpu_name, find_device
from tests.support.lipsync_nvml import Card, FakeNvml


def test_the_processor_has_its_name_from_the_kernel(tmp_path: Path) -> None:
    file = tmp_path / "cpuinfo"
    file.write_text("processor\t: 0\nmodel name\t: AMD  EPYC 7B13 \nflags\t: fpu\n")
    assert cpu_name(file) == "AMD EPYC 7B13"


def test_a_kernel_that_does_not_say_is_no_error(tmp_path: Path) -> None:
    file = tmp_path / "cpuinfo"
    assert cpu_name(file) == "CPU"
    file.write_text("processor : 0\n")
    assert cpu_name(file) == "CPU"


def test_hidden_gpus_are_not_used() -> None:
    for hidden in ("", "-1", "GPU-00000000-0000-0000-0000-000000000000"):
        device = find_device({"CUDA_VISIBLE_DEVICES": hidden})
        assert device.kind == "cpu"
        assert device.name
        assert device.memory_bytes > 1 << 28


@pytest.mark.parametrize(
    ("visible", "device"),
    [
        ({}, Device("cuda", "Card 0", 0, 80 << 30)),
        ({"CUDA_VISIBLE_DEVICES": "1,0"}, Device("cuda", "Card 1", 1, 80 << 30)),
        ({"CUDA_VISIBLE_DEVICES": "GPU-bbbb"}, Device("cuda", "Card 1", 1, 80 << 30)),
    ],
)
def test_the_first_visible_gpu_is_the_worker_s_own(
    monkeypatch: pytest.MonkeyPatch, visible: dict[str, str], device: Device
) -> None:
    driver = FakeNvml(monkeypatch, Card("GPU-aaaa"), Card("GPU-bbbb"))
    assert find_device(visible) == device
    assert driver.opened == 0


def test_a_number_beyond_the_gpus_leaves_the_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    FakeNvml(monkeypatch, Card())
    assert find_device({"CUDA_VISIBLE_DEVICES": "7"}).kind == "cpu"
