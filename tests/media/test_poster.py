"""The picture that stands for a movie."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from mouthpiece.errors import BadInput
from mouthpiece.media.encode import ChunkEncoder
from mouthpiece.media.poster import MAX_SIDE, make_poster
from mouthpiece.media.quality import Quality
from tests.support.media_chunks import PAL


def movie(path: Path, width: int, height: int, frames: int = 40) -> Path:
    """Frames that become brighter, each by two levels, in a colour."""
    with ChunkEncoder(path, PAL, width, height, Quality.LOSSLESS) as encoder:
        for index in range(frames):
            frame = np.full((height * 3 // 2, width), 90, np.uint8)
            frame[:height] = 40 + 2 * index
            encoder.write(frame)
        encoder.finish()
    return path


def shown(jpeg: bytes) -> np.ndarray:
    picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    return np.asarray(picture)


@pytest.mark.parametrize(
    ("size", "expected"),
    [((640, 360), (320, 180)), ((480, 854), (180, 320)), ((128, 96), (128, 96)), ((322, 64), (320, 64))],
)
def test_it_is_small_and_keeps_its_shape(
    tmp_path: Path, size: tuple[int, int], expected: tuple[int, int]
) -> None:
    height, width, _ = shown(make_poster(movie(tmp_path / "movie.mp4", *size, frames=3), "")).shape
    assert (width, height) == expected
    assert max(width, height) <= MAX_SIDE


def test_it_is_the_frame_in_the_middle_in_its_colours(tmp_path: Path) -> None:
    picture = shown(make_poster(movie(tmp_path / "movie.mp4", 128, 96), ""))
    # BT.709, limited range: luma 80 and chroma 90, 90 are this colour.
    luma, blue, red = (80 - 16) / 219, (90 - 128) / 224, (90 - 128) / 224
    expected = [luma + 1.8556 * blue, luma - 0.1873 * blue - 0.4681 * red, luma + 1.5748 * red]
    assert np.abs(picture.mean((0, 1)) - 255 * np.clip(expected, 0, 1)).max() < 4


def test_it_says_what_it_is(tmp_path: Path) -> None:
    poster = make_poster(movie(tmp_path / "movie.mp4", 64, 64, frames=2), "Made by a machine.")
    assert poster.startswith(b"\xff\xd8\xff\xfe\x00\x14Made by a machine.\xff")


def test_what_cannot_be_decoded_is_refused(tmp_path: Path) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no movie")
    with pytest.raises(BadInput, match="movie"):
        make_poster(broken, "")
