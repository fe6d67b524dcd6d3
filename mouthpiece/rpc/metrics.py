"""Figures about calls, the same in every service."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

_handled = Counter("mouthpiece_rpc_handled", "Calls that ended, by method and status.", ["method", "code"])
_running = Gauge("mouthpiece_rpc_running", "Calls in progress, by method.", ["method"])
_seconds = Histogram(
    "mouthpiece_rpc_seconds",
    "Time from a call's start to its end, by method.",
    ["method"],
    buckets=(0.001, 0.005, 0.02, 0.1, 0.5, 2, 10, 60, 300),
)


def call_started(method: str) -> None:
    """A call of `/package.Service/Method` began."""
    _running.labels(method).inc()


def call_ended(method: str, code: str, seconds: float) -> None:
    """It ended with the status named `code`."""
    _running.labels(method).dec()
    _handled.labels(method, code).inc()
    _seconds.labels(method).observe(seconds)
