"""The pure parts of avatars: colours, framing, the grid, smoothing, orientation."""

from __future__ import annotations

import struct
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from hypothesis import given, settings
from hypothesis import strategies as st

from services.lipsync.avatar._convert import Upright, turned
from services.lipsync.avatar._decode import timing_of
from services.lipsync.avatar._hdr import sdr_from_hlg, sdr_from_pq
from services.lipsync.avatar._sniff import Turn, exif_turn
from services.lipsync.avatar.color import bgr_to_i420, i420_to_bgr
from services.lipsync.avatar.framing import Area, framing
from services.lipsync.avatar.landmarks import Landmarks
from services.lipsync.avatar.preparation import on_grid
from services.lipsync.avatar.smoothing import jitter, smooth

levels = st.integers(0, 255)


@settings(deadline=None, max_examples=50)
@given(levels, levels, levels)
def test_a_plain_colour_survives_the_way_to_the_encoder_and_back(blue: int, green: int, red: int) -> None:
    picture = np.full((4, 6, 3), (blue, green, red), np.uint8)
    back = i420_to_bgr(bgr_to_i420(picture)).astype(int)
    assert np.abs(back - picture).max() <= 3


@pytest.mark.parametrize(
    ("color", "planes"),
    [
        ((255, 255, 255), (235, 128, 128)),
        ((0, 0, 0), (16, 128, 128)),
        ((0, 0, 255), (63, 102, 240)),
        ((0, 255, 0), (173, 42, 26)),
        ((255, 0, 0), (32, 240, 118)),
    ],
)
def test_colours_are_those_of_bt709_in_limited_range(
    color: tuple[int, int, int], planes: tuple[int, int, int]
) -> None:
    made = bgr_to_i420(np.full((2, 2, 3), color, np.uint8))
    assert (int(made[0, 0]), int(made[2, 0]), int(made[2, 1])) == planes


def test_planes_are_what_a_player_would_show() -> None:
    rng = np.random.default_rng(0)
    picture = np.asarray(np.kron(rng.integers(0, 255, (12, 16, 3)), np.ones((16, 16, 1))), np.uint8)
    frame = VideoFrame.from_ndarray(bgr_to_i420(picture), format="yuv420p")
    shown = VideoReformatter().reformat(
        frame, format="bgr24", src_colorspace=1, dst_colorspace=1, src_color_range=1, dst_color_range=2
    )
    assert np.median(np.abs(shown.to_ndarray().astype(int) - picture)) <= 2


def test_odd_sizes_have_no_planes() -> None:
    with pytest.raises(ValueError, match="even sizes"):
        bgr_to_i420(np.zeros((4, 5, 3), np.uint8))


sides = st.integers(1, 900)
even = st.integers(1, 450).map(lambda half: 2 * half)


@settings(deadline=None, max_examples=50)
@given(sides, sides, even, even)
def test_framing_fills_the_frame_from_within_the_picture(w: int, h: int, width: int, height: int) -> None:
    cut = framing((w, h), (width, height))
    assert 0 <= cut.x <= cut.scaled[0] - width
    assert 0 <= cut.y <= cut.scaled[1] - height


@settings(deadline=None, max_examples=50)
@given(sides, sides, even, even, st.floats(0, 1), st.floats(0, 1))
def test_framing_keeps_the_face_in_the_frame(
    w: int, h: int, width: int, height: int, across: float, down: float
) -> None:
    side = min(w, h) / 8
    left, top = across * (w - side), down * (h - side)
    cut = framing((w, h), (width, height), Area(left, top, left + side, top + side))
    x = (left + side / 2) * cut.scaled[0] / w - cut.x
    y = (top + side / 2) * cut.scaled[1] / h - cut.y
    assert -1 <= x <= width + 1
    assert -1 <= y <= height + 1


def test_an_odd_row_is_cut_off_and_nothing_else_changes() -> None:
    picture = np.random.default_rng(0).integers(0, 255, (11, 8, 3), dtype=np.uint8)
    cut = framing((8, 11), (8, 10))
    assert np.array_equal(cut.apply(picture), picture[:10])
    assert cut.changes(picture)
    assert not framing((8, 11), (8, 11)).changes(picture)


def marked(number: int) -> Upright:
    return Upright(np.full((1, 1, 3), number, np.uint8))


def numbers(frames: list[tuple[Fraction, Upright]], fps: Fraction, count: int) -> list[int]:
    return [int(upright.bgr[0, 0, 0]) for upright in on_grid(frames, fps, count)]


def test_each_frame_of_the_grid_shows_what_was_shown_at_its_time() -> None:
    times = [Fraction(0), Fraction(1, 10), Fraction(35, 100), Fraction(1, 2)]
    frames = [(time, marked(number)) for number, time in enumerate(times)]
    assert numbers(frames, Fraction(10), 8) == [0, 1, 1, 1, 2, 3, 3, 3]


def test_timestamps_rounded_to_milliseconds_neither_drop_nor_repeat_a_frame() -> None:
    fps = Fraction(30000, 1001)
    frames = [(Fraction(round(1000 * n / fps), 1000), marked(n)) for n in range(200)]
    assert numbers(frames, fps, 200) == list(range(200))


@settings(deadline=None, max_examples=50)
@given(
    st.lists(st.fractions(Fraction(1, 1000), Fraction(1, 2)), min_size=1, max_size=40),
    st.sampled_from([Fraction(10), Fraction(25), Fraction(30000, 1001), Fraction(60)]),
    st.integers(1, 90),
)
def test_the_grid_is_full_and_never_runs_backwards(gaps: list[Fraction], fps: Fraction, count: int) -> None:
    times = [sum(gaps[:n], Fraction(0)) for n in range(len(gaps))]
    shown = numbers([(time, marked(n)) for n, time in enumerate(times)], fps, count)
    assert len(shown) == count
    assert all(a <= b for a, b in pairwise(shown))
    for n, number in enumerate(shown):
        assert times[number] <= (n + Fraction(1, 8)) / fps


def points(x: float) -> Landmarks:
    face = np.zeros((468, 3), np.float32)
    face[:, 0] = x
    face[263, 0] += 60
    return Landmarks(face, 1.0)


def test_gaps_are_filled_on_straight_lines() -> None:
    found = [points(0), None, None, points(9), points(9), points(9), None]
    x = smooth(found)[:, 0, 0]
    assert np.all(np.diff(x) >= -1e-4)
    assert x[-1] == pytest.approx(9, abs=0.5)
    assert x[1:3] == pytest.approx([3, 6], abs=0.7)


def test_smoothing_takes_out_jitter_and_leaves_motion() -> None:
    rng = np.random.default_rng(0)
    path = 3 * np.arange(60.0)
    found = [points(x + noise) for x, noise in zip(path, rng.normal(0, 0.5, 60), strict=True)]
    smoothed = smooth(found)
    raw = np.stack([landmarks.points for landmarks in found])
    assert jitter(smoothed) < jitter(raw) / 6
    assert np.abs(smoothed[5:-5, 0, 0] - path[5:-5]).max() < 0.8


def test_a_cut_is_not_smoothed_over() -> None:
    x = smooth([points(0)] * 10 + [points(400)] * 10)[:, 0, 0]
    assert x[:10] == pytest.approx(0)
    assert x[10:] == pytest.approx(400)


def test_a_clip_without_any_face_cannot_be_smoothed() -> None:
    with pytest.raises(ValueError, match="no frame"):
        smooth([None, None])


def test_nominal_rates_are_standard_rates_near_the_average() -> None:
    fps = Fraction(30000, 1001)
    rounded = [Fraction(round(1000 * n / fps), 1000) for n in range(100)]
    timing = timing_of(rounded, Fraction(4), 60.0)
    assert timing.fps == fps
    assert timing.steady
    assert timing.frames == 100


def test_a_varying_rate_is_noticed_and_averaged() -> None:
    steps = [Fraction(1, 30), Fraction(1, 15)] * 30
    times = [sum(steps[:n], Fraction(0)) for n in range(60)]
    timing = timing_of(times, Fraction(3), 60.0)
    assert timing.fps == 20
    assert not timing.steady


def test_only_the_first_seconds_of_a_long_clip_are_used() -> None:
    timing = timing_of([Fraction(n, 25) for n in range(250)], Fraction(10), 4.0)
    assert timing.frames == 100
    assert timing.total == 10


def exif(order: str, value: int) -> bytes:
    mark = b"II" if order == "<" else b"MM"
    entries = struct.pack(f"{order}HHIHH", 0x010F, 2, 1, 0, 0) + struct.pack(
        f"{order}HHIHH", 0x0112, 3, 1, value, 0
    )
    return mark + struct.pack(f"{order}HIH", 42, 8, 2) + entries


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("turn", list(Turn))
def test_exif_orientation_is_read_in_both_byte_orders(order: str, turn: Turn) -> None:
    assert exif_turn(exif(order, turn.value)) is turn


@settings(deadline=None, max_examples=50)
@given(st.binary(max_size=80), st.sampled_from([b"", b"II*\0", b"MM\0*"]))
def test_any_bytes_may_stand_where_exif_should(tail: bytes, head: bytes) -> None:
    assert exif_turn(head + tail) in Turn


def test_every_turn_brings_the_picture_upright() -> None:
    upright = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
    stored = {
        Turn.NONE: upright,
        Turn.MIRROR: upright[:, ::-1],
        Turn.HALF: np.rot90(upright, 2),
        Turn.FLIP: upright[::-1],
        Turn.TRANSPOSE: upright.transpose(1, 0, 2),
        Turn.RIGHT: np.rot90(upright, 1),
        Turn.TRANSVERSE: np.rot90(upright.transpose(1, 0, 2), 2),
        Turn.LEFT: np.rot90(upright, -1),
    }
    for turn, picture in stored.items():
        assert np.array_equal(turned(picture, turn), upright), turn


def test_reference_white_and_black_of_high_dynamic_range_are_white_and_black() -> None:
    for convert, white in ((sdr_from_pq, 0.5807), (sdr_from_hlg, 0.75)):
        signal = np.zeros((1, 3, 3), np.uint16)
        signal[0, 1:] = [[round(white * 65535)] * 3, [65535] * 3]
        shown = convert(signal)[0, :, 0].tolist()
        assert shown[0] == 0
        assert 225 <= shown[1] <= 250
        assert shown[1] <= shown[2] <= 255
