"""Stands in for NVIDIA's management library: cards with knobs, whole or divided."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace

import pynvml
import pytest


@dataclass
class Card:
    """A GPU. `parts` are the UUIDs of what it is divided into; figures that are None are not told."""

    uuid: str = "GPU-aaaa"
    parts: tuple[str, ...] = ()
    load: int | None = 40
    encoder: int | None = None
    milliwatts: int | None = 350_000
    millijoules: int | None = 5_000_000


@dataclass(frozen=True)
class Handle:
    """What the library calls a device: a card, or one of its parts."""

    card: int
    part: int | None = None


def _told(value: int | None) -> int:
    if value is None:
        raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)
    return value


class FakeNvml:
    """The functions of pynvml that the worker calls. `opened` counts who has not let go of it."""

    def __init__(self, patch: pytest.MonkeyPatch, *cards: Card) -> None:
        self.cards = cards
        self.opened = 0
        self.asked = 0
        for name in dir(self):
            if name.startswith("nvml"):
                patch.setattr(pynvml, name, getattr(self, name))

    def nvmlInit(self) -> None:
        self.opened += 1

    def nvmlShutdown(self) -> None:
        self.opened -= 1

    def nvmlDeviceGetHandleByIndex(self, index: int) -> Handle:
        if index >= len(self.cards):
            raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_FOUND)
        return Handle(index)

    def nvmlDeviceGetHandleByUUID(self, uuid: str) -> Handle:
        for number, card in enumerate(self.cards):
            if uuid == card.uuid:
                return Handle(number)
            if uuid in card.parts:
                return Handle(number, card.parts.index(uuid))
        raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_FOUND)

    def nvmlDeviceGetMigMode(self, handle: Handle) -> list[int]:
        divided = int(bool(self.cards[handle.card].parts))
        return [divided, divided]

    def nvmlDeviceGetMigDeviceHandleByIndex(self, handle: Handle, index: int) -> Handle:
        return Handle(handle.card, index)

    def nvmlDeviceGetDeviceHandleFromMigDeviceHandle(self, handle: Handle) -> Handle:
        _told(handle.part)
        return Handle(handle.card)

    def nvmlDeviceGetIndex(self, handle: Handle) -> int:
        return handle.card if handle.part is None else handle.part

    def nvmlDeviceGetName(self, handle: Handle) -> str:
        return f"Card {handle.card}" + ("" if handle.part is None else " MIG 1g.18gb")

    def nvmlDeviceGetMemoryInfo(self, handle: Handle) -> SimpleNamespace:
        size = (80 << 30) if handle.part is None else (18 << 30)
        return SimpleNamespace(used=size // 4, total=size)

    def nvmlDeviceGetUtilizationRates(self, handle: Handle) -> SimpleNamespace:
        self.asked += 1
        whole = None if handle.part is not None else self.cards[handle.card].load
        return SimpleNamespace(gpu=_told(whole))

    def nvmlDeviceGetEncoderCapacity(self, handle: Handle, kind: int) -> int:
        _told(self.cards[handle.card].encoder)
        return 100

    def nvmlDeviceGetEncoderUtilization(self, handle: Handle) -> list[int]:
        return [_told(self.cards[handle.card].encoder), 167_000]

    def nvmlDeviceGetPowerUsage(self, handle: Handle) -> int:
        assert handle.part is None, "parts do not tell the card's power"
        return _told(self.cards[handle.card].milliwatts)

    def nvmlDeviceGetEnforcedPowerLimit(self, handle: Handle) -> int:
        return 700_000

    def nvmlDeviceGetTotalEnergyConsumption(self, handle: Handle) -> int:
        assert handle.part is None, "parts do not tell the card's energy"
        return _told(self.cards[handle.card].millijoules)

    def nvmlDeviceGetTemperature(self, handle: Handle, sensor: int) -> int:
        return 54
