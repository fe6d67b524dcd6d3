"""Figures of the HTTP interface. Paths are those of the table, not those that were asked for."""

from __future__ import annotations

from prometheus_client import Counter, Histogram

_answers = Counter(
    "mouthpiece_http_answers", "HTTP requests, by operation and status.", ["method", "path", "status"]
)
_seconds = Histogram(
    "mouthpiece_http_seconds",
    "Time to the beginning of an answer, by operation.",
    ["method", "path"],
    buckets=(0.005, 0.02, 0.1, 0.5, 2, 10, 60, 600),
)


def answered(method: str, path: str, status: int, seconds: float) -> None:
    """A request was answered; what is streamed may still go on."""
    _answers.labels(method, path, status).inc()
    _seconds.labels(method, path).observe(seconds)
