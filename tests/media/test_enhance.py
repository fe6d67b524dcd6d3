"""Pictures changed by filters, frame by frame."""

from __future__ import annotations

from itertools import pairwise, starmap

import numpy as np
import pytest

from mouthpiece.core.timeline import Span
from mouthpiece.media.enhance import Backdrop, Frame, enhanced
from mouthpiece.media.quality import PRESETS, Adjustment, Quality
from services.lipsync.avatar.color import bgr_to_i420, i420_to_bgr

SIDE = 96
GREEN, SKIN = (60, 170, 50), (120, 150, 205)


def person_before(screen: tuple[int, int, int], frames: int = 6) -> list[Frame]:
    """A square of skin that moves a little before a screen."""
    rng = np.random.default_rng(3)
    made: list[Frame] = []
    for number in range(frames):
        picture = np.full((SIDE, SIDE, 3), screen, np.float64)
        picture[32 + number : 80 + number, 32:64] = SKIN
        picture += rng.normal(0, 2, picture.shape)
        made.append(bgr_to_i420(np.clip(picture, 0, 255).astype(np.uint8)))
    return made


def plain(level: int) -> Frame:
    """A picture of one brightness, without colour."""
    return np.concatenate([np.full((SIDE, SIDE), level), np.full((SIDE // 2, SIDE), 128)]).astype(np.uint8)


def flickering(frames: list[Frame]) -> list[Frame]:
    """Every other frame darker by a tenth."""
    dim = [np.concatenate([frame[:SIDE] * 0.9, frame[SIDE:]]).astype(np.uint8) for frame in frames]
    return [dim[number] if number % 2 else frame for number, frame in enumerate(frames)]


def only(frame: Frame, **how: float) -> Frame:
    (changed,) = enhanced([frame], Adjustment(**how))
    return changed


def test_nothing_to_do_hands_the_frames_through() -> None:
    frames = person_before(GREEN)
    assert all(a is b for a, b in zip(enhanced(frames, Adjustment()), frames, strict=True))


@pytest.mark.parametrize("quality", Quality)
@pytest.mark.parametrize("cuts", [(0, 24), (0, 1, 2, 9, 15, 24)])
def test_what_becomes_of_a_frame_does_not_depend_on_where_a_chunk_begins(
    quality: Quality, cuts: tuple[int, ...]
) -> None:
    frames, how = flickering(person_before(GREEN, 24)), PRESETS[quality].enhancement
    backdrop = Backdrop(plain(90), (105, 95))
    whole = list(enhanced(frames, how, backdrop))
    assert len(whole) == len(frames)
    assert not np.array_equal(whole[0], frames[0])
    pieces: list[Frame] = []
    for span in starmap(Span, pairwise(cuts)):
        around = how.around(span).clip(Span(0, len(frames)))
        made = list(enhanced(frames[around.first : around.end], how, backdrop))
        pieces += made[span.first - around.first :][: len(span)]
    assert all(np.array_equal(a, b) for a, b in zip(whole, pieces, strict=True))


def test_the_engine_s_own_frames_stay_as_they_are() -> None:
    frames = person_before(GREEN)
    kept = [frame.copy() for frame in frames]
    list(enhanced(frames, Adjustment(contrast=0.5, sharpness=1.0), Backdrop(plain(90), (105, 95))))
    assert all(np.array_equal(a, b) for a, b in zip(frames, kept, strict=True))


def test_brightness_and_contrast_move_levels_as_they_say() -> None:
    assert only(plain(100), brightness=0.1)[0, 0] == 122
    assert only(plain(200), brightness=1.0)[0, 0] == 235
    assert only(plain(75), contrast=0.5)[0, 0] == 50
    assert only(plain(75), contrast=-1.0)[0, 0] in (125, 126)


def test_saturation_moves_colours_and_leaves_grey() -> None:
    skin = person_before(SKIN, 1)[0]
    assert np.array_equal(only(skin, saturation=-1.0)[SIDE:], np.full((SIDE // 2, SIDE), 128))
    away = np.abs(only(skin, saturation=0.5)[SIDE:].astype(int) - 128).mean()
    assert away == pytest.approx(1.5 * np.abs(skin[SIDE:].astype(int) - 128).mean(), rel=0.05)
    assert np.array_equal(only(plain(75), saturation=1.0), plain(75))


def test_sharpness_steepens_edges_and_leaves_plains() -> None:
    edge = plain(80)
    edge[:SIDE, SIDE // 2 :] = 160
    sharp = only(edge, sharpness=1.0)[:SIDE].astype(int)
    assert sharp[50, SIDE // 2 - 1] < 75
    assert sharp[50, SIDE // 2] > 165
    assert abs(sharp[50, 5] - 80) <= 1


def test_brightness_that_jumps_is_evened_out_and_the_mouth_stays_sharp() -> None:
    frames = flickering(person_before(SKIN, 24))
    for number, frame in enumerate(frames):  # a dark mouth that opens and closes
        frame[60 : 62 + number % 5, 40:56] = 40
    calm = list(enhanced(frames, Adjustment(deflicker=1.0)))

    def levels(shown: list[Frame]) -> list[float]:
        return [float(frame[:30, :SIDE].mean()) for frame in shown]

    assert np.ptp(levels(frames)) > 10
    assert np.ptp(levels(calm[:-8])) < 4
    steady = list(enhanced(frames[::2], Adjustment(smoothing=1.0)))
    for before, after in zip(frames[::2], steady, strict=True):
        assert np.abs(after[58:66, 40:56].astype(int) - before[58:66, 40:56]).max() <= 12


def test_noise_is_evened_out() -> None:
    still = [person_before(SKIN, 1)[0]] * 24
    noise = np.random.default_rng(1).normal(0, 2, (24, SIDE, SIDE))
    grainy = [
        np.clip(frame + np.pad(n, ((0, SIDE // 2), (0, 0))), 0, 255).astype(np.uint8)
        for frame, n in zip(still, noise, strict=True)
    ]
    calm = list(enhanced(grainy, Adjustment(smoothing=1.0)))

    def grain(shown: list[Frame]) -> float:
        return float(np.std([frame[:SIDE] for frame in shown[2:-2]], axis=0).mean())

    assert grain(calm) < 0.6 * grain(grainy)


def test_the_backdrop_stands_where_the_screen_was_and_the_person_stays() -> None:
    frames = person_before(GREEN)
    new = bgr_to_i420(np.full((SIDE, SIDE, 3), (160, 60, 30), np.uint8))
    u, v = (int(np.median(plane)) for plane in frames[0][SIDE:].reshape(2, -1))
    for number, frame in enumerate(enhanced(frames, Adjustment(), Backdrop(new, (u, v)))):
        shown = i420_to_bgr(frame).astype(int)
        assert np.abs(shown[:24, :24] - (160, 60, 30)).max() <= 3
        assert np.abs(shown[40 + number : 72 + number, 40:56].mean(axis=(0, 1)) - SKIN).max() <= 4
