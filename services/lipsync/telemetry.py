"""How a worker's device fares: load, memory, power, heat."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pynvml import NVMLError

from services.lipsync.device import first_visible
from services.lipsync.nvml import Gpu

FRESH_SECONDS = 1.0
"""A reading is good for so long, however many ask."""

_MEMORY_FILE = Path("/proc/self/statm")


@dataclass(frozen=True, slots=True)
class Reading:
    """Figures of one moment; `None` is what is not known. Utilizations are parts from 0 to 1.

    Memory is that of the GPU or of its part; on a processor it is the process's. Power, temperature and
    energy are the card's, the energy since its driver was loaded.
    """

    utilization: float | None = None
    memory_used_bytes: int | None = None
    power_watts: float | None = None
    power_limit_watts: float | None = None
    temperature_celsius: float | None = None
    energy_joules: float | None = None
    encoder_utilization: float | None = None


class Telemetry:
    """Reads a GPU where there is one, else the process itself. Thread-safe."""

    def __init__(self, gpu: Gpu | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._gpu = gpu
        self._clock = clock
        self._lock = threading.Lock()
        self._process = _Process(clock)
        self._latest = Reading()
        self._due = float("-inf")

    def read(self) -> Reading:
        """The figures, at most `FRESH_SECONDS` old."""
        with self._lock:
            if self._clock() >= self._due:
                self._latest = read_gpu(self._gpu) if self._gpu else self._process.read()
                self._due = self._clock() + FRESH_SECONDS
            return self._latest

    def energy_joules(self) -> float | None:
        """What the card used since its driver was loaded, as of now."""
        with self._lock:
            return self._gpu.energy_joules() if self._gpu else None

    def close(self) -> None:
        """Let go of the driver."""
        with self._lock:
            if self._gpu is not None:
                self._gpu.close()
                self._gpu = None


def open_telemetry(environment: Mapping[str, str] = os.environ) -> Telemetry:
    """The telemetry of the device that `find_device` finds."""
    try:
        return Telemetry(Gpu(first_visible(environment)))
    except NVMLError:
        return Telemetry(None)


def read_gpu(gpu: Gpu) -> Reading:
    """The figures of a GPU."""
    memory = gpu.memory_bytes()
    return Reading(
        utilization=gpu.utilization(),
        memory_used_bytes=memory[0] if memory else None,
        power_watts=gpu.power_watts(),
        power_limit_watts=gpu.power_limit_watts(),
        temperature_celsius=gpu.temperature_celsius(),
        energy_joules=gpu.energy_joules(),
        encoder_utilization=gpu.encoder_utilization(),
    )


class _Process:
    """The process's own load since it was read last, on the cores that it may use."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._since = (clock(), _processor_seconds())

    def read(self) -> Reading:
        now = (self._clock(), _processor_seconds())
        (began, used_before), self._since = self._since, now
        wall = (now[0] - began) * len(os.sched_getaffinity(0))
        load = min(1.0, (now[1] - used_before) / wall) if wall > 0 else None
        return Reading(utilization=load, memory_used_bytes=_resident_bytes())


def _processor_seconds() -> float:
    times = os.times()
    return times.user + times.system


def _resident_bytes() -> int | None:
    with suppress(OSError, ValueError, IndexError):
        return int(_MEMORY_FILE.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return None
