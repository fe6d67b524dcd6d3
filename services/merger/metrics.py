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
_signed = Counter("mouthpiece_movies_signed", "Movies to be signed, by outcome: signed, failed.", ["outcome"])
_certificate_end = Gauge(
    "mouthpiece_signing_certificate_expiry_timestamp_seconds",
    "When the certificate that movies are signed with ends, in seconds since 1970; 0: none are signed.",
)


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


def movie_signed(outcome: str) -> None:
    """A movie was `signed`, or that `failed`."""
    _signed.labels(outcome).inc()


def certificate_ends(moment: float) -> None:
    """The certificate for movies is valid until then (seconds since 1970)."""
    _certificate_end.set(moment)
