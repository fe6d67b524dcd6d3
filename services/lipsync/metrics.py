"""The lip-sync service's figures. Engine names are those of the registry."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields

from prometheus_client import REGISTRY, Counter, Gauge, Histogram, Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from services.lipsync.telemetry import Reading

_busy = Gauge("mouthpiece_lipsync_busy_slots", "Chunks being rendered.")
_slots = Gauge("mouthpiece_lipsync_slots", "Chunks that may be rendered at a time.")
_chunks = Counter(
    "mouthpiece_lipsync_chunks", "Chunks that ended, by engine and outcome.", ["engine", "outcome"]
)
_refused = Counter("mouthpiece_lipsync_refused", "Chunks refused because every slot was taken.")
_frames = Counter("mouthpiece_lipsync_frames", "Frames in finished chunks, by engine.", ["engine"])
_video = Counter("mouthpiece_lipsync_video_seconds", "Length of finished chunks, by engine.", ["engine"])
_work = Counter(
    "mouthpiece_lipsync_work_seconds",
    "Time that finished chunks took, by engine and stage (prepare, render, encode).",
    ["engine", "stage"],
)
_energy = Counter(
    "mouthpiece_lipsync_chunk_energy_joules", "What GPUs used for finished chunks, by engine.", ["engine"]
)
_avatars = Counter(
    "mouthpiece_lipsync_avatars", "Avatars asked for, by whether they were prepared already.", ["ready"]
)
_avatar_seconds = Histogram(
    "mouthpiece_lipsync_avatar_seconds",
    "Time to prepare an avatar.",
    buckets=(0.1, 0.5, 1, 5, 20, 60, 300),
)


for _ready in ("yes", "no"):  # a series that begins above 0 has lost its first event
    _avatars.labels(_ready)

_FIGURES = {
    "utilization": "Part of the time in which the device computed, 0 to 1.",
    "memory_used_bytes": "Memory in use on the GPU; of this process on a processor.",
    "power_watts": "Power that the GPU draws.",
    "power_limit_watts": "Power at which the GPU slows down.",
    "temperature_celsius": "Temperature of the GPU.",
    "energy_joules": "What the GPU used since its driver was loaded.",
    "encoder_utilization": "Part of the time in which the GPU's video encoder worked, 0 to 1.",
}


class _Device(Collector):
    """The device's figures as of the moment in which they are asked for; what is not known is left out."""

    def __init__(self) -> None:
        self.read: Callable[[], Reading] = Reading

    def collect(self) -> Iterator[Metric]:
        reading = self.read()
        for name in (field.name for field in fields(reading)):
            value = getattr(reading, name)
            if value is not None:
                yield GaugeMetricFamily(f"mouthpiece_lipsync_device_{name}", _FIGURES[name], value)


_device = _Device()
REGISTRY.register(_device)


def telemetry_read_by(read: Callable[[], Reading]) -> None:
    """The device's figures are read so from now on."""
    _device.read = read


def slots_offered(slots: int) -> None:
    """The worker renders so many chunks at a time."""
    _slots.set(slots)


def chunk_refused() -> None:
    """There was no free slot."""
    _refused.inc()


def chunk_started() -> None:
    """A slot was taken."""
    _busy.inc()


def chunk_ended(engine: str, outcome: str) -> None:
    """The slot is free again; `outcome` is "done", "failed" or "called_off"."""
    _busy.dec()
    _chunks.labels(engine, outcome).inc()


def chunk_rendered(
    engine: str,
    frames: int,
    video: float,
    prepare: float,
    render: float,
    encode: float,
    joules: float | None,
) -> None:
    """A chunk of `video` seconds was stored, after so many seconds in each stage.

    The energy may be unknown.
    """
    _frames.labels(engine).inc(frames)
    _video.labels(engine).inc(video)
    _energy.labels(engine).inc(joules or 0.0)
    for stage, seconds in (("prepare", prepare), ("render", render), ("encode", encode)):
        _work.labels(engine, stage).inc(seconds)


def avatar_found() -> None:
    """An avatar was prepared already."""
    _avatars.labels("yes").inc()


def avatar_prepared(seconds: float) -> None:
    """An avatar was prepared."""
    _avatars.labels("no").inc()
    _avatar_seconds.observe(seconds)
