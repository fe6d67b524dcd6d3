"""Chunks: what is encoded is what comes out, and any two of them can share a track."""

from __future__ import annotations

import resource
from collections.abc import Generator, Iterable, Iterator
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mouthpiece.media.boxes import keyframes
from mouthpiece.media.encode import ChunkEncoder
from mouthpiece.media.probe import Frame, decode_frames, frame_times, read_chunk
from mouthpiece.media.quality import Quality, keyframes_with
from tests.support.media_chunks import FILM, NTSC, PAL, encode, picture, pictures

RATES = (PAL, NTSC, FILM, Fraction(24), Fraction(5), Fraction(120), Fraction(997, 40))


@pytest.mark.parametrize(("width", "height"), [(64, 48), (66, 50), (1280, 718), (98, 64)])
def test_lossless_chunks_decode_to_the_very_frames(tmp_path: Path, width: int, height: int) -> None:
    path = encode(tmp_path / "a.mp4", range(7), width=width, height=height)
    decoded = list(decode_frames(path))
    assert len(decoded) == 7
    for ours, theirs in zip(pictures(range(7), width, height), decoded, strict=True):
        assert np.array_equal(ours, theirs)


@pytest.mark.parametrize("quality", Quality)
@pytest.mark.parametrize("frames", [1, 2, 3, 4, 121])
def test_no_frame_is_lost_and_every_one_is_on_the_grid(tmp_path: Path, quality: Quality, frames: int) -> None:
    path = encode(tmp_path / "a.mp4", range(frames), NTSC, quality=quality)
    assert frame_times(path) == [index / NTSC for index in range(frames)]
    assert read_chunk(path).frames == frames


@pytest.mark.parametrize("fps", RATES, ids=str)
def test_the_frame_rate_is_exact(tmp_path: Path, fps: Fraction) -> None:
    for frames in (1, 2, 75):
        path = encode(tmp_path / "a.mp4", range(frames), fps, quality=Quality.MEDIUM)
        track = read_chunk(path)
        assert (track.fps, track.start, track.duration) == (fps, Fraction(0), frames / fps)
        assert frame_times(path) == [index / fps for index in range(frames)]


@pytest.mark.parametrize("quality", Quality)
def test_chunks_of_any_length_and_content_share_a_decoder_configuration(
    tmp_path: Path, quality: Quality
) -> None:
    spans = (range(1), range(1000, 1002), range(40, 43), range(70), range(500, 561))
    chunks = [encode(tmp_path / f"{span.start}.mp4", span, NTSC, quality=quality) for span in spans]
    black = tmp_path / "black.mp4"
    with ChunkEncoder(black, NTSC, 64, 48, quality) as encoder:
        for _ in range(90):
            encoder.write(np.full((72, 64), 128, np.uint8))
        encoder.finish()
    configurations = {read_chunk(chunk).configuration for chunk in (*chunks, black)}
    assert len(configurations) == 1
    assert len({read_chunk(chunk).reorder_frames for chunk in (*chunks, black)}) == 1


def test_another_size_rate_or_profile_has_another_configuration(tmp_path: Path) -> None:
    chunks = [
        encode(tmp_path / "a.mp4", range(3)),
        encode(tmp_path / "b.mp4", range(3), width=96),
        encode(tmp_path / "c.mp4", range(3), NTSC),
        encode(tmp_path / "d.mp4", range(3), quality=Quality.MEDIUM),
    ]
    assert len({read_chunk(chunk).codec_sha256 for chunk in chunks}) == 4


@pytest.mark.parametrize("quality", Quality)
def test_keyframes_come_every_second_and_nowhere_else(tmp_path: Path, quality: Quality) -> None:
    path = tmp_path / "a.mp4"
    with ChunkEncoder(path, PAL, 64, 48, quality) as encoder:
        for index in range(130):  # a cut to black in the middle of a group of pictures
            encoder.write(picture(index) if index < 70 else np.full((72, 64), 16, np.uint8))
        encoder.finish()
    with av.open(str(path)) as container:
        keys = [packet.pts for packet in container.demux(video=0) if packet.is_keyframe and packet.size]
        time_base = container.streams.video[0].time_base or Fraction(0)
    assert [pts * time_base * 25 for pts in keys if pts is not None] == [0, 25, 50, 75, 100, 125]


def test_regular_keyframes_give_way_to_those_that_are_wanted(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    wanted = frozenset({30, 40, 120})
    with ChunkEncoder(path, PAL, 64, 48, Quality.MEDIUM, keyframes=wanted) as encoder:
        for index in range(200):
            encoder.write(picture(index))
        encoder.finish()
    with path.open("rb") as file:
        assert keyframes(file) == [0, 30, 40, 66, 93, 120, 158, 196]


@given(
    wanted=st.frozensets(st.integers(0, 2000), max_size=30),
    more=st.integers(2001, 3000),
    fps=st.sampled_from([PAL, NTSC, Fraction(12), Fraction(60)]),
)
def test_keyframes_hang_on_those_wanted_before_them_alone(
    wanted: frozenset[int], more: int, fps: Fraction
) -> None:
    keys = sorted({0} | keyframes_with(wanted, fps))
    assert wanted <= set(keys)
    assert all(after - before <= round(fps * 3 / 2) for before, after in pairwise(keys))
    assert set(keys) <= {0} | keyframes_with(wanted | {more}, fps)


@pytest.mark.parametrize("quality", Quality)
def test_the_stream_says_bt709_limited_range(tmp_path: Path, quality: Quality) -> None:
    track = read_chunk(encode(tmp_path / "a.mp4", range(2), quality=quality))
    assert (track.color, track.limited_range, track.pixel_format) == ((1, 1, 1), True, "yuv420p")


def test_an_array_may_be_overwritten_once_it_was_written(tmp_path: Path) -> None:
    buffer = np.empty((72, 64), np.uint8)
    with ChunkEncoder(tmp_path / "a.mp4", PAL, 64, 48, Quality.LOSSLESS) as encoder:
        for frame in pictures(range(60)):
            buffer[:] = frame
            encoder.write(buffer)
            buffer[:] = 0
        encoder.finish()
    decoded = np.stack(list(decode_frames(tmp_path / "a.mp4")))
    assert np.array_equal(decoded, np.stack(list(pictures(range(60)))))


def test_a_read_only_frame_is_taken_too(tmp_path: Path) -> None:
    frame = picture(3)
    frame.flags.writeable = False
    with ChunkEncoder(tmp_path / "a.mp4", PAL, 64, 48, Quality.LOSSLESS) as encoder:
        encoder.write(frame)
        encoder.finish()
    assert np.array_equal(next(decode_frames(tmp_path / "a.mp4")), frame)


def test_better_words_cost_more_bytes_and_give_better_pictures(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    grain = rng.integers(0, 12, (72, 64), np.uint8)
    sizes, errors = [], []
    for quality in Quality:
        path = tmp_path / f"{quality}.mp4"
        with ChunkEncoder(path, PAL, 64, 48, quality) as encoder:
            for index in range(25):
                encoder.write(picture(index) + np.roll(grain, index, axis=1))
            sizes.append(encoder.finish().size_bytes)
        wanted = np.stack([picture(index) + np.roll(grain, index, axis=1) for index in range(25)])
        errors.append(float(np.mean((np.stack(list(decode_frames(path))) - wanted.astype(float)) ** 2)))
    assert sizes == sorted(sizes)
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] == 0


def test_the_same_frames_give_the_same_bytes(tmp_path: Path) -> None:
    first, again = (
        encode(tmp_path / name, range(30), quality=Quality.MEDIUM).read_bytes() for name in ("a", "b")
    )
    assert first == again


def test_what_finish_reports_is_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    with ChunkEncoder(path, PAL, 64, 48) as encoder:
        for frame in pictures(range(5)):
            encoder.write(frame)
        assert encoder.frames == 5
        chunk = encoder.finish()
    assert (chunk.path, chunk.frames, chunk.size_bytes) == (path, 5, path.stat().st_size)
    assert chunk.codec_sha256 == read_chunk(path).codec_sha256
    assert 0 < chunk.encode_seconds == encoder.encode_seconds


def test_a_chunk_that_was_not_finished_leaves_no_file(tmp_path: Path) -> None:
    write_all(tmp_path / "a.mp4", pictures(range(3)))
    assert not list(tmp_path.iterdir())


def failing_engine() -> Iterator[Frame]:
    yield from pictures(range(50))
    raise ZeroDivisionError


def write_all(path: Path, frames: Iterable[Frame]) -> None:
    with ChunkEncoder(path, PAL, 64, 48) as encoder:
        for frame in frames:
            encoder.write(frame)


def test_a_failing_engine_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        write_all(tmp_path / "a.mp4", failing_engine())
    assert not list(tmp_path.iterdir())


@pytest.fixture
def full_disk() -> Generator[None]:
    """No file may grow beyond 20 kB."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.usefixtures("full_disk")
def test_a_full_disk_is_told_and_leaves_no_file(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    with ChunkEncoder(tmp_path / "a.mp4", PAL, 64, 48, Quality.LOSSLESS) as encoder:
        for _ in range(10):
            encoder.write(rng.integers(0, 255, (72, 64), np.uint8))
        with pytest.raises(OSError, match="too large"):
            encoder.finish()
    assert not list(tmp_path.iterdir())


def test_a_chunk_without_frames_is_refused(tmp_path: Path) -> None:
    with (
        ChunkEncoder(tmp_path / "a.mp4", PAL, 64, 48) as encoder,
        pytest.raises(ValueError, match="at least one frame"),
    ):
        encoder.finish()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "frame",
    [
        np.zeros((72, 66), np.uint8),
        np.zeros((48, 64), np.uint8),
        np.zeros((72, 64), np.int16),
        np.zeros((72, 128), np.uint8)[:, ::2],
    ],
    ids=["width", "height", "type", "strides"],
)
def test_an_array_that_is_no_frame_is_refused(tmp_path: Path, frame: np.ndarray) -> None:
    with (
        ChunkEncoder(tmp_path / "a.mp4", PAL, 64, 48) as encoder,
        pytest.raises(ValueError, match=r"uint8 of shape \(72, 64\)"),
    ):
        encoder.write(frame)


@pytest.mark.parametrize(("width", "height"), [(63, 48), (64, 47), (0, 48)])
def test_odd_sizes_are_refused_before_a_file_exists(tmp_path: Path, width: int, height: int) -> None:
    with pytest.raises(ValueError, match="even sizes"):
        ChunkEncoder(tmp_path / "a.mp4", PAL, width, height)
    assert not list(tmp_path.iterdir())
