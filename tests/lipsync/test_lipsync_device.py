"""What a worker says it computes on."""

from __future__ import annotations

from pathlib import Path

from services.lipsync.device import cpu_name, find_device


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
