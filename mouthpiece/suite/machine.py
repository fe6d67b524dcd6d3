"""What this machine has to compute on."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path

CORES_PER_WORKER = 2
_CPU_LIMIT = Path("/sys/fs/cgroup/cpu.max")


@dataclass(frozen=True, slots=True)
class Gpu:
    """One GPU: its place among all, the name that CUDA knows it by, a name for people, memory in bytes."""

    index: int
    uuid: str
    name: str
    memory_bytes: int


@dataclass(frozen=True, slots=True)
class Machine:
    """Cores and GPUs that the suite may use."""

    cores: int
    gpus: tuple[Gpu, ...]

    @property
    def workers(self) -> int:
        """Lip-sync processes that suit it: one per GPU, or without one, one per two cores; at least one."""
        return len(self.gpus) or max(1, self.cores // CORES_PER_WORKER)


def look_around() -> Machine:
    """This machine, within what its administrator allows this process."""
    return Machine(usable_cores(), visible(find_gpus(), os.environ.get("CUDA_VISIBLE_DEVICES")))


def usable_cores() -> int:
    """Cores that this process may run on: affinity, then the container's limit, rounded up."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        limit = cpu_limit(_CPU_LIMIT.read_text(encoding="ascii"))
    except OSError:
        limit = None
    return allowed if limit is None else min(allowed, limit)


def cpu_limit(text: str) -> int | None:
    """Cores that a cgroup's cpu.max ("quota period" in microseconds) grants; None: no limit."""
    quota, _, period = text.strip().partition(" ")
    return None if quota == "max" else max(1, ceil(int(quota) / int(period)))


def find_gpus() -> tuple[Gpu, ...]:
    """NVIDIA GPUs by their driver's library; none when there is no driver."""
    try:
        import pynvml
    except ImportError:
        return ()
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return ()
    try:
        handles = [pynvml.nvmlDeviceGetHandleByIndex(n) for n in range(pynvml.nvmlDeviceGetCount())]
        return tuple(
            Gpu(
                index,
                pynvml.nvmlDeviceGetUUID(handle),
                pynvml.nvmlDeviceGetName(handle),
                int(pynvml.nvmlDeviceGetMemoryInfo(handle).total),
            )
            for index, handle in enumerate(handles)
        )
    finally:
        pynvml.nvmlShutdown()


def visible(gpus: Sequence[Gpu], variable: str | None) -> tuple[Gpu, ...]:
    """Those of `gpus` that CUDA_VISIBLE_DEVICES leaves, in its order; all of them when it is not set.

    As in CUDA, an entry is an index or the beginning of a UUID, and one that fits nothing ends the list.
    """
    if variable is None:
        return tuple(gpus)
    found: list[Gpu] = []
    for entry in filter(None, (part.strip() for part in variable.split(","))):
        match = next((gpu for gpu in gpus if entry == str(gpu.index) or gpu.uuid.startswith(entry)), None)
        if match is None:
            break
        found.append(match)
    return tuple(found)
