"""Parts of chunks are shown without the rest of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mouthpiece.core.timeline import Span
from mouthpiece.errors import BadInput
from mouthpiece.media.boxes import keyframes
from mouthpiece.media.merge import MergeFormat, Merger
from mouthpiece.media.probe import decode_frames
from mouthpiece.media.quality import Quality
from tests.support.media_chunks import PAL, encode, picture, samples_for

FORM = MergeFormat(PAL, 64, 48)


@pytest.mark.parametrize("quality", [Quality.LOSSLESS, Quality.MEDIUM])
def test_the_index_of_a_chunk_names_its_keyframes(tmp_path: Path, quality: Quality) -> None:
    chunk = encode(tmp_path / "chunk.mp4", range(60), quality=quality)
    with chunk.open("rb") as file:
        assert keyframes(file) == [0, 25, 50]


def test_a_movie_of_parts_of_chunks_shows_just_those(tmp_path: Path) -> None:
    first = encode(tmp_path / "first.mp4", range(100))
    second = encode(tmp_path / "second.mp4", range(40, 110))
    output, samples = tmp_path / "movie.mp4", samples_for(85, PAL)
    with Merger(output, FORM) as merger:
        merger.add_speech(Span(0, samples), bytes(2 * samples))
        merger.add_chunk(Span(0, 50), first, skip=25, rest=25)
        merger.add_chunk(Span(50, 75), second, skip=25, rest=20)
        merger.add_chunk(Span(75, 85), encode(tmp_path / "third.mp4", range(10)))
        merger.finish(85, samples)
    shown = [*range(25, 75), *range(65, 90), *range(10)]
    for frame, index in zip(decode_frames(output), shown, strict=True):
        assert np.array_equal(frame, picture(index))


@pytest.mark.parametrize(("skip", "rest"), [(10, 15), (25, 10)])
def test_a_part_that_is_not_cut_at_keyframes_is_refused(tmp_path: Path, skip: int, rest: int) -> None:
    chunk = encode(tmp_path / "chunk.mp4", range(75))
    frames = 75 - skip - rest
    samples = samples_for(frames, PAL)
    with Merger(tmp_path / "movie.mp4", FORM) as merger:
        merger.add_speech(Span(0, samples), bytes(2 * samples))
        with pytest.raises(BadInput, match="keyframe"):
            merger.add_chunk(Span(0, frames), chunk, skip=skip, rest=rest)


def test_a_part_of_another_length_than_announced_is_refused(tmp_path: Path) -> None:
    chunk = encode(tmp_path / "chunk.mp4", range(75))
    samples = samples_for(25, PAL)
    with Merger(tmp_path / "movie.mp4", FORM) as merger:
        merger.add_speech(Span(0, samples), bytes(2 * samples))
        with pytest.raises(BadInput, match="number of frames is 75, not 50"):
            merger.add_chunk(Span(0, 25), chunk, skip=25)
