"""Engines: ways of making a face talk, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from mouthpiece.errors import Reason, Unmet
from mouthpiece.settings import LipSyncSettings
from services.lipsync.engine import Engine

Factory = Callable[[LipSyncSettings], Engine[Any]]


def _viseme(_: LipSyncSettings) -> Engine[Any]:
    from services.lipsync.engines.viseme.engine import VisemeEngine

    return VisemeEngine()


def _timed(settings: LipSyncSettings) -> Engine[Any]:
    from services.lipsync.engines.timed import TimedEngine

    return TimedEngine(settings.timed_frames_per_second)


ENGINES: Mapping[str, Factory] = {"viseme": _viseme, "timed": _timed}
"""What can be named in the settings; nothing is imported before it is wanted."""


def create_engine(name: str, settings: LipSyncSettings) -> Engine[Any]:
    """Make an engine, not yet loaded. Raises `Unmet` (ENGINE_UNKNOWN)."""
    factory = ENGINES.get(name)
    if factory is None:
        raise Unmet(Reason.ENGINE_UNKNOWN, f"no engine {name!r}; there is {', '.join(sorted(ENGINES))}")
    return factory(settings)
