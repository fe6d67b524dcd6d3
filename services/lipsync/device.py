"""What a worker computes on."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pynvml import NVMLError

from services.lipsync.nvml import Gpu

_CPU_FILE = Path("/proc/cpuinfo")


@dataclass(frozen=True, slots=True)
class Device:
    """`kind` is "cpu" or "cuda"; `memory_bytes` is 0 when unknown."""

    kind: str
    name: str
    index: int
    memory_bytes: int


def find_device(environment: Mapping[str, str] = os.environ) -> Device:
    """The first GPU that the driver offers and CUDA_VISIBLE_DEVICES allows, else the processor."""
    return _gpu(first_visible(environment)) or Device("cpu", cpu_name(_CPU_FILE), 0, _memory_bytes())


def first_visible(environment: Mapping[str, str] = os.environ) -> str:
    """Number or UUID of the GPU that is CUDA's first."""
    visible = environment.get("CUDA_VISIBLE_DEVICES")
    return "0" if visible is None else visible.split(",")[0].strip()


def cpu_name(file: Path) -> str:
    """Name of the processor in a file such as /proc/cpuinfo; "CPU" when it does not say."""
    with suppress(OSError):
        for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
            key, _, value = line.partition(":")
            if key.strip() in ("model name", "Model", "Hardware") and value.strip():
                return " ".join(value.split())
    return "CPU"


def _gpu(which: str) -> Device | None:
    """A GPU by number or UUID; `None` when there is none, or no driver."""
    try:
        with Gpu(which) as gpu:
            memory = gpu.memory_bytes()
            return Device("cuda", gpu.name, gpu.index, memory[1] if memory else 0)
    except NVMLError:
        return None


def _memory_bytes() -> int:
    with suppress(OSError, ValueError):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return 0
