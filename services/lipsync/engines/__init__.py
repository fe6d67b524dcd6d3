"""Engines: ways of making a face talk, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from mouthpiece.core.engines import EngineClass
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


def _heygem(settings: LipSyncSettings) -> Engine[Any]:
    from services.lipsync.engines.heygem.engine import HeygemConfig, HeygemEngine
    from services.lipsync.engines.heygem.task import Pace

    if settings.heygem_folder is None:
        message = "name the folder that the container shares: MOUTHPIECE_LIPSYNC_HEYGEM_FOLDER"
        raise Unmet(Reason.ENGINE_UNAVAILABLE, message)
    return HeygemEngine(
        HeygemConfig(
            url=settings.heygem_url,
            folder=settings.heygem_folder,
            container_path=settings.heygem_container_path,
            model=settings.heygem_model,
            super_resolution=settings.heygem_super_resolution,
            max_chunk_frames=settings.heygem_max_chunk_frames,
            task_seconds=settings.heygem_task_seconds,
            pace=Pace(
                poll=settings.heygem_poll_seconds,
                settle=settings.heygem_poll_seconds / 2,
                silence=settings.heygem_silence_seconds,
                task=settings.heygem_task_seconds * 1.1,
            ),
        )
    )


def _wan(settings: LipSyncSettings) -> Engine[Any]:
    from services.lipsync.engines.wan.engine import WanConfig, WanEngine

    return WanEngine(
        WanConfig(
            comfyui=settings.wan_comfyui,
            workflow=settings.wan_workflow,
            workflow_next=settings.wan_workflow_next,
            weights=settings.wan_weights,
            model=settings.wan_model,
            pixels=settings.wan_pixels,
            steps=settings.wan_steps,
            prompt=settings.wan_prompt,
            clip_seconds=settings.wan_clip_seconds,
        )
    )


def _wav2lip(name: str) -> Factory:
    def make(settings: LipSyncSettings) -> Engine[Any]:
        from services.lipsync.engines.wav2lip.engine import VARIANTS, Wav2LipEngine

        return Wav2LipEngine(VARIANTS[name], settings)

    return make


ENGINES: Mapping[str, Factory] = {
    "viseme": _viseme,
    "timed": _timed,
    "heygem": _heygem,
    "wan-s2v": _wan,
    **{name: _wav2lip(name) for name in ("wav2lip", "wav2lip-nogan", "wav2lip-mixed")},
}
"""What can be named in the settings; nothing is imported before it is wanted."""


def create_engine(name: str, settings: LipSyncSettings) -> Engine[Any]:
    """Make an engine, not yet loaded. Raises `Unmet` (ENGINE_UNKNOWN)."""
    factory = ENGINES.get(name)
    if factory is None:
        raise Unmet(Reason.ENGINE_UNKNOWN, f"no engine {name!r}; there is {', '.join(sorted(ENGINES))}")
    engine = factory(settings)
    if settings.devices == 1 or engine.info.engine_class is not EngineClass.WINDOWED:
        return engine
    from services.lipsync.engines.spread import SpreadEngine

    alone = settings.model_copy(update={"devices": 1})
    return SpreadEngine(partial(create_engine, name, alone), settings.devices)
