"""Videos that other programs rendered, as frames on the grid and at the size of a job."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

from mouthpiece.errors import BadInput, MouthpieceError
from services.lipsync.avatar._decode import open_source, read_timing
from services.lipsync.avatar.color import I420, bgr_to_i420
from services.lipsync.avatar.framing import framing
from services.lipsync.avatar.limits import Limits
from services.lipsync.avatar.preparation import Format, on_grid

_LIMITS = Limits(max_clip_seconds=3600.0)


def footage_seconds(path: Path) -> Fraction:
    """How long the pictures of a video last. Raises `MouthpieceError` when it cannot be read."""
    try:
        return read_timing(path, _LIMITS).seconds
    except BadInput as error:
        raise _spoiled(path, error) from None


def footage_frames(path: Path, wanted: Format, count: int) -> Iterator[I420]:
    """Exactly `count` frames: the n-th is what the video shows n / fps seconds after its beginning.

    After the last frame comes the last one again. Raises `MouthpieceError` when the video does not decode.
    """
    try:
        with open_source(path, _LIMITS) as source:
            cut = framing((source.traits.width, source.traits.height), (wanted.width, wanted.height))
            for upright in on_grid(source.frames(), wanted.fps, count):
                as_it_is = upright.planes is not None and not cut.changes(upright.bgr)
                planes = upright.planes if as_it_is else None
                yield bgr_to_i420(cut.apply(upright.bgr)) if planes is None else planes
    except BadInput as error:
        raise _spoiled(path, error) from None


def _spoiled(path: Path, error: BadInput) -> MouthpieceError:
    return MouthpieceError(f"the rendered video {path.name} is {error.violations[0].description}")
