"""The merger's figures."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

_running = Gauge("mouthpiece_merges_running", "Merges under way.")
_seconds = Histogram(
    "mouthpiece_merge_finish_seconds",
    "Time from a merge's last part to its stored movie.",
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2, 5, 15, 60),
)
_frames = Counter("mouthpiece_merged_frames", "Frames in finished movies.")
_bytes = Counter("mouthpiece_merged_bytes", "Size of finished movies in bytes.")


def merge_started() -> None:
    """A merge was let in."""
    _running.inc()


def merge_ended() -> None:
    """It is over, however it ended."""
    _running.dec()


def movie_stored(frames: int, size_bytes: int, took: float) -> None:
    """A movie is in the store, so many seconds after its last part came."""
    _seconds.observe(took)
    _frames.inc(frames)
    _bytes.inc(size_bytes)
