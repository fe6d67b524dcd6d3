"""Wav2Lip as engines: with the model trained against a discriminator, without, or both in turns."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction
from hashlib import sha256
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mouthpiece.core.engines import EngineClass, EngineInfo, Weights
from mouthpiece.core.timeline import Span, clip_index, sample_at
from mouthpiece.errors import Reason, Unmet
from mouthpiece.settings import LipSyncSettings
from services.lipsync.avatar.models import FACE_WEIGHTS
from services.lipsync.engines.wav2lip.architecture import MEL_BANDS, MEL_COLUMNS
from services.lipsync.engines.wav2lip.mel import LEAD, TAIL, heard, windows

if TYPE_CHECKING:
    from services.lipsync.avatar import Avatar
    from services.lipsync.engine import Frame, RenderTask
    from services.lipsync.engines.wav2lip.clip import Clip
    from services.lipsync.engines.wav2lip.compute import Network, Painter

REVISION = 2
"""Raised with every change of the pictures that these engines make, so that cached chunks are not mixed."""

TURN_SECONDS = 10
"""How long each model renders before the other takes over, where both render."""


class Model(Enum):
    """The two published models, with the names that their files usually have."""

    GAN = ("Wav2Lip-SD-GAN.pt", "wav2lip_gan.pth")
    """Trained against a discriminator of pictures: sharper."""
    NOGAN = ("Wav2Lip-SD-NOGAN.pt", "wav2lip.pth")
    """Trained for lip sync alone: steadier."""


@dataclass(frozen=True, slots=True)
class Variant:
    """An engine's name, what it says of itself, and the models that take turns."""

    name: str
    description: str
    models: tuple[Model, ...]


VARIANTS = {
    variant.name: variant
    for variant in (
        Variant("wav2lip", "Wav2Lip, the sharper model (GAN).", (Model.GAN,)),
        Variant("wav2lip-nogan", "Wav2Lip, the steadier model (without GAN).", (Model.NOGAN,)),
        Variant(
            "wav2lip-mixed",
            f"Wav2Lip, both models in turns of {TURN_SECONDS} s; the picture's sharpness changes with them.",
            (Model.GAN, Model.NOGAN),
        ),
    )
}
"""The engines by name."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A clip, and who paints it for each of the engine's models."""

    clip: Clip
    painters: tuple[Painter, ...]


class Wav2LipEngine:
    """Gives a face the lips of the speech. Engines of a process share their networks."""

    def __init__(self, variant: Variant, settings: LipSyncSettings) -> None:
        self._variant = variant
        self._settings = settings
        self._networks: tuple[Network, ...] = ()
        self._weights: tuple[Weights, ...] = ()

    @property
    def info(self) -> EngineInfo:
        """What the engine declares; the version names the weights once they are loaded."""
        return EngineInfo(
            name=self._variant.name,
            description=self._variant.description,
            engine_class=EngineClass.WINDOWED,
            version=self._version(),
            lead_samples=LEAD,
            tail_samples=TAIL,
            weights=self._weights,
        )

    def load(self) -> None:
        """Read the checkpoints and bring the networks onto the device."""
        files = [find_checkpoint(model, self._settings) for model in self._variant.models]
        from services.lipsync.engines.wav2lip.checkpoint import digest
        from services.lipsync.engines.wav2lip.compute import load_network

        digests = [digest(file) for file in files]
        threads = self._settings.wav2lip_threads
        self._networks = tuple(
            load_network(file, name, threads) for file, name in zip(files, digests, strict=True)
        )
        named = (Weights(file.name, name) for file, name in zip(files, digests, strict=True))
        self._weights = (*FACE_WEIGHTS, *named)

    def prepare(self, avatar: Avatar) -> Prepared:
        """Put a box around the face of every frame. Faces are encoded when they are first rendered."""
        from services.lipsync.engines.wav2lip.clip import Clip

        clip = Clip.of(avatar)
        return Prepared(clip, tuple(network.painter(clip) for network in self._networks))

    def render(self, prepared: Prepared, task: RenderTask) -> Generator[Frame]:
        """Yield the frames of a task in order."""
        batch = self._networks[0].batch
        sound = heard(task.speech, sample_at(task.frames.end, task.fps) + TAIL)
        clip = prepared.clip
        for first in range(task.frames.first // batch * batch, task.frames.end, batch):
            inside = Span(first, first + batch).clip(task.frames)
            mels = np.zeros((batch, 1, MEL_BANDS, MEL_COLUMNS), np.float32)
            mels[inside.first - first : inside.end - first] = windows(sound, inside, task.fps)
            indices = [clip_index(frame, clip.avatar.frames) for frame in range(first, first + batch)]
            for painter, frames in self._turns(prepared, inside, task.fps):
                wanted = range(frames.first - first, frames.end - first)
                parts = painter.paint(mels, indices, wanted)
                for place, part in zip(wanted, parts, strict=True):
                    yield self._finished(clip, indices[place], part)

    def _turns(self, prepared: Prepared, frames: Span, fps: Fraction) -> Iterator[tuple[Painter, Span]]:
        """Who paints which of some frames: a matter of the frame's number alone."""
        turn = max(1, round(TURN_SECONDS * fps))
        for number, group in groupby(frames, lambda frame: frame // turn):
            run = list(group)
            yield prepared.painters[number % len(prepared.painters)], Span(run[0], run[-1] + 1)

    def _finished(self, clip: Clip, index: int, part: Frame) -> Frame:
        from services.lipsync.engines.wav2lip.clip import paste
        from services.lipsync.engines.wav2lip.softening import softened

        planes = clip.avatar.frame_i420(index).copy()
        if index in clip.avatar.empty:
            return planes
        painted = softened(clip.cut(index), part) if self._settings.wav2lip_soft_paste else part
        paste(planes, clip.boxes[index], painted)
        return planes

    def _version(self) -> str:
        soft = "-soft" if self._settings.wav2lip_soft_paste else ""
        named = f"{self._variant.name}-{REVISION}{soft}"
        if not self._networks:
            return named
        made_of = "".join(model.sha256 for model in self._weights)
        content = sha256(made_of.encode()).hexdigest()[:8]
        return f"{named}-{self._networks[0].precision}-{content}"


def find_checkpoint(model: Model, settings: LipSyncSettings) -> Path:
    """The file of a model: the one that is set, or the first of its usual names in the folder of weights.

    Raises `Unmet` (WEIGHTS_MISSING) when there is none.
    """
    setting = f"wav2lip_{model.name.lower()}"
    chosen: Path | None = getattr(settings, setting)
    candidates = [chosen] if chosen else [settings.weights / name for name in model.value]
    for path in candidates:
        if path.is_file():
            return path
    names = " nor ".join(str(path) for path in candidates)
    raise Unmet(
        Reason.WEIGHTS_MISSING,
        f"no Wav2Lip checkpoint ({model.name}): not {names}; put one there, or name it in "
        f"MOUTHPIECE_LIPSYNC_{setting.upper()}",
    )
