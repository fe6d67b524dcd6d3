"""The metrics that services have, as their registries tell."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

SERVICES = ("gateway", "tts", "lipsync", "merger")

_LIST = """
import json, sys
from dataclasses import fields
from importlib import import_module
from prometheus_client import REGISTRY
import_module(f"services.{sys.argv[1]}.__main__")
if sys.argv[1] == "lipsync":  # figures of a device that tells everything
    from services.lipsync.metrics import telemetry_read_by
    from services.lipsync.telemetry import Reading
    telemetry_read_by(lambda: Reading(**{field.name: 1.0 for field in fields(Reading)}))
labels = {name: vars(c).get("_labelnames", ()) for name, c in REGISTRY._names_to_collectors.items()}
found = [(m.name, m.type, labels.get(m.name, ())) for m in REGISTRY.collect()]
print(json.dumps([each for each in found if each[0].startswith("mouthpiece_")]))
"""


@dataclass(frozen=True, order=True)
class Metric:
    """A metric under the name that it is asked for: a counter ends in `_total`."""

    name: str
    kind: str
    labels: tuple[str, ...]

    @property
    def series(self) -> frozenset[str]:
        """Names that a query may use."""
        ends = ("_bucket", "_count", "_sum") if self.kind == "histogram" else ("",)
        return frozenset(self.name + end for end in ends)


@cache
def registered(service: str) -> frozenset[Metric]:
    """All metrics of a service, told by a process that loaded it."""
    listing = subprocess.run(
        [sys.executable, "-c", _LIST, service], check=True, capture_output=True, text=True, timeout=120
    )
    return frozenset(_metric(*each) for each in json.loads(listing.stdout))


def everything() -> dict[Metric, set[str]]:
    """Every metric, and the services that have it."""
    found: dict[Metric, set[str]] = {}
    for service in SERVICES:
        for metric in registered(service):
            found.setdefault(metric, set()).add(service)
    return found


def _metric(name: str, kind: str, labels: Iterable[str]) -> Metric:
    return Metric(name + "_total" if kind == "counter" else name, kind, tuple(labels))
