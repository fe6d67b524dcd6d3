"""The lip-sync service's figures. Engine names are those of the registry."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

_busy = Gauge("mouthpiece_lipsync_busy_slots", "Chunks being rendered.")
_slots = Gauge("mouthpiece_lipsync_slots", "Chunks that may be rendered at a time.")
_chunks = Counter(
    "mouthpiece_lipsync_chunks", "Chunks that ended, by engine and outcome.", ["engine", "outcome"]
)
_refused = Counter("mouthpiece_lipsync_refused", "Chunks refused because every slot was taken.")
_frames = Counter("mouthpiece_lipsync_frames", "Frames in finished chunks, by engine.", ["engine"])
_work = Counter(
    "mouthpiece_lipsync_work_seconds",
    "Time that finished chunks took, by engine and stage (prepare, render, encode).",
    ["engine", "stage"],
)
_avatars = Counter(
    "mouthpiece_lipsync_avatars", "Avatars asked for, by whether they were prepared already.", ["ready"]
)
_avatar_seconds = Histogram(
    "mouthpiece_lipsync_avatar_seconds",
    "Time to prepare an avatar.",
    buckets=(0.1, 0.5, 1, 5, 20, 60, 300),
)


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


def chunk_rendered(engine: str, frames: int, prepare: float, render: float, encode: float) -> None:
    """A chunk was stored, after so many seconds in each stage."""
    _frames.labels(engine).inc(frames)
    for stage, seconds in (("prepare", prepare), ("render", render), ("encode", encode)):
        _work.labels(engine, stage).inc(seconds)


def avatar_found() -> None:
    """An avatar was prepared already."""
    _avatars.labels("yes").inc()


def avatar_prepared(seconds: float) -> None:
    """An avatar was prepared."""
    _avatars.labels("no").inc()
    _avatar_seconds.observe(seconds)
