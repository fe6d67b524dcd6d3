"""The merger's figures."""

from __future__ import annotations

from prometheus_client import Counter, Gauge

_running = Gauge("mouthpiece_merges_running", "Merges under way.")
_frames = Counter("mouthpiece_merged_frames", "Frames in finished movies.")
_bytes = Counter("mouthpiece_merged_bytes", "Size of finished movies in bytes.")


def merge_started() -> None:
    """A merge was let in."""
    _running.inc()


def merge_ended() -> None:
    """It is over, however it ended."""
    _running.dec()


def movie_stored(frames: int, size_bytes: int) -> None:
    """A movie is in the store."""
    _frames.inc(frames)
    _bytes.inc(size_bytes)
