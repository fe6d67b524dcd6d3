"""Blending the end of one chunk with the beginning of the next."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import islice
from pathlib import Path

import numpy as np

from mouthpiece.core.timeline import Span
from mouthpiece.media.encode import ChunkEncoder
from mouthpiece.media.probe import Frame, decode_frames
from mouthpiece.media.quality import Codec, Quality


def blend(before: Frame, after: Frame, step: int, steps: int) -> Frame:
    """Frame `step` of a fade over `steps` frames, neither end of which shows one side alone."""
    share = step + 1
    whole = steps + 1
    mixed = before.astype(np.uint32) * (whole - share) + after.astype(np.uint32) * share
    return ((mixed + whole // 2) // whole).astype(np.uint8)


def write_fade(
    path: Path,
    before: tuple[Path, Span],
    after: tuple[Path, Span],
    form: tuple[Fraction, int, int],
    quality: Quality,
    codec: Codec = Codec.H264,
) -> None:
    """Write a chunk in which frames of one file turn into as many of another.

    Spans count the files' frames; `form` is frames per second, width and height.
    """
    steps = len(before[1])
    pairs = zip(_frames(*before), _frames(*after), strict=True)
    with ChunkEncoder(path, *form, quality, encoder=codec.software) as encoder:
        for step, (left, right) in enumerate(pairs):
            encoder.write(blend(left, right, step, steps))
        encoder.finish()


def _frames(path: Path, frames: Span) -> Iterator[Frame]:
    return islice(decode_frames(path), frames.first, frames.end)
