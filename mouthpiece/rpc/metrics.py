"""Figures about calls, the same in every service."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from prometheus_client import Counter, Gauge, Histogram

from mouthpiece import __version__

_handled = Counter("mouthpiece_rpc_handled", "Calls that ended, by method and status.", ["method", "code"])
_running = Gauge("mouthpiece_rpc_running", "Calls in progress, by method.", ["method"])
_seconds = Histogram(
    "mouthpiece_rpc_seconds",
    "Time from a call's start to its end, by method.",
    ["method"],
    buckets=(0.001, 0.005, 0.02, 0.1, 0.5, 2, 10, 60, 300),
)


_build = Gauge("mouthpiece_build_info", "1, for the release that runs.", ["version"])
_free = Gauge("mouthpiece_disk_free_bytes", "Free bytes of the disk that holds a folder.", ["folder"])
_size = Gauge("mouthpiece_disk_size_bytes", "Size of that disk in bytes.", ["folder"])


def program_started(folders: Mapping[str, Path]) -> None:
    """A service runs, and writes to these folders, which are looked at whenever somebody asks."""
    _build.labels(__version__).set(1)
    for name, folder in folders.items():
        _free.labels(name).set_function(partial(_free_bytes, folder))
        _size.labels(name).set_function(partial(_size_bytes, folder))


def _free_bytes(folder: Path) -> int:
    return shutil.disk_usage(_existing(folder)).free


def _size_bytes(folder: Path) -> int:
    return shutil.disk_usage(_existing(folder)).total


def _existing(folder: Path) -> Path:
    return next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())


def call_started(method: str) -> None:
    """A call of `/package.Service/Method` began."""
    _running.labels(method).inc()


def call_ended(method: str, code: str, seconds: float) -> None:
    """It ended with the status named `code`."""
    _running.labels(method).dec()
    _handled.labels(method, code).inc()
    _seconds.labels(method).observe(seconds)
