"""One GPU as NVIDIA's management library (NVML) sees it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

import pynvml

_PER_MILLE = 1000.0


class Gpu:
    """A GPU or a part of a divided one (MIG). What a card or a driver does not tell is `None`.

    Used as a context manager, or closed by hand. Methods may be called from any thread.
    """

    def __init__(self, which: str) -> None:
        """`which` is a number or UUID as in CUDA_VISIBLE_DEVICES.

        A divided GPU that is named by its number stands for its first part, as it does for CUDA. Raises
        `pynvml.NVMLError` when there is no such GPU, or no driver.
        """
        pynvml.nvmlInit()
        try:
            self._handle, self._card = _handles(which)
        except pynvml.NVMLError:
            pynvml.nvmlShutdown()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the driver."""
        pynvml.nvmlShutdown()

    @property
    def name(self) -> str:
        """Name of the card, or of its part."""
        return str(_asked(pynvml.nvmlDeviceGetName, self._handle) or "GPU")

    @property
    def index(self) -> int:
        """Number of the card."""
        return int(pynvml.nvmlDeviceGetIndex(self._card))

    def memory_bytes(self) -> tuple[int, int] | None:
        """Memory in use and in all."""
        memory = _asked(pynvml.nvmlDeviceGetMemoryInfo, self._handle)
        return None if memory is None else (int(memory.used), int(memory.total))

    def utilization(self) -> float | None:
        """Part of the last sampling period in which it computed, 0 to 1. Parts of a GPU do not tell."""
        rates = _asked(pynvml.nvmlDeviceGetUtilizationRates, self._handle)
        return None if rates is None else rates.gpu / 100

    def encoder_utilization(self) -> float | None:
        """Part of the last sampling period in which its video encoder worked, 0 to 1; `None` without one."""
        capacity = _asked(pynvml.nvmlDeviceGetEncoderCapacity, self._card, pynvml.NVML_ENCODER_QUERY_H264)
        if capacity is None:
            return None
        used = _asked(pynvml.nvmlDeviceGetEncoderUtilization, self._handle)
        return None if used is None else used[0] / 100

    def power_watts(self) -> float | None:
        """Power that the card draws."""
        return _scaled(_asked(pynvml.nvmlDeviceGetPowerUsage, self._card))

    def power_limit_watts(self) -> float | None:
        """Power at which the card slows down."""
        return _scaled(_asked(pynvml.nvmlDeviceGetEnforcedPowerLimit, self._card))

    def energy_joules(self) -> float | None:
        """What the card used since the driver was loaded."""
        return _scaled(_asked(pynvml.nvmlDeviceGetTotalEnergyConsumption, self._card))

    def temperature_celsius(self) -> float | None:
        """Temperature of the chip."""
        told = _asked(pynvml.nvmlDeviceGetTemperature, self._card, pynvml.NVML_TEMPERATURE_GPU)
        return None if told is None else float(told)


def _handles(which: str) -> tuple[Any, Any]:
    """The GPU or part that CUDA would take, and the card that it is on."""
    if not which.isdigit():
        handle = pynvml.nvmlDeviceGetHandleByUUID(which)
        card = _asked(pynvml.nvmlDeviceGetDeviceHandleFromMigDeviceHandle, handle)
        return handle, handle if card is None else card
    card = pynvml.nvmlDeviceGetHandleByIndex(int(which))
    mode = _asked(pynvml.nvmlDeviceGetMigMode, card)
    if mode is None or mode[0] != pynvml.NVML_DEVICE_MIG_ENABLE:
        return card, card
    return pynvml.nvmlDeviceGetMigDeviceHandleByIndex(card, 0), card


def _asked(question: Callable[..., Any], *about: Any) -> Any | None:
    """What the driver answers, `None` when it has no answer: cards differ in what they can tell."""
    try:
        return question(*about)
    except pynvml.NVMLError:
        return None


def _scaled(milli: int | None) -> float | None:
    return None if milli is None else milli / _PER_MILLE
