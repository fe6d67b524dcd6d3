"""Faces are found wherever they are, and their landmarks lie where the portrait's parts were drawn."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mouthpiece.errors import Reason, Unmet
from services.lipsync.avatar.detection import FaceBox, tile_starts
from services.lipsync.avatar.landmarks import FaceTracker, Landmarks
from tests.support.lipsync_media import Picture, pasted, scaled, turned

# Offsets from the middle and y, in units of the portrait, of points that its modules draw.
DRAWN = {
    33: (-91, 330.8),  # outer eye corners
    263: (91, 330.8),
    133: (-26.8, 333.8),  # inner eye corners
    362: (26.8, 333.8),
    61: (-52, 433.4),  # corners of the mouth
    291: (52, 433.4),
    13: (0, 442.8),  # where the lips meet
}


def in_pixels(x: float, y: float) -> tuple[float, float]:
    scale = 720 / 620
    return (360 + x - 50) * scale, (y - 66) * scale


def test_landmarks_lie_where_the_portrait_was_drawn(tracker: FaceTracker, portrait: Picture) -> None:
    found = tracker.landmarks(portrait, tracker.detect(portrait)[0])
    assert found.presence > 0.95
    misses = {
        number: float(np.hypot(*(found.points[number, :2] - in_pixels(*place))))
        for number, place in DRAWN.items()
    }
    assert max(misses.values()) < 13, misses
    assert np.mean(list(misses.values())) < 8, misses


def test_landmarks_turn_and_shrink_with_the_picture(tracker: FaceTracker, portrait: Picture) -> None:
    upright = tracker.landmarks(portrait, tracker.detect(portrait)[0]).points[:, :2]
    for degrees in (-35.0, 20.0, 80.0):
        picture = turned(portrait, degrees, 0.6)
        found = tracker.landmarks(picture, tracker.detect(picture)[0]).points[:, :2]
        angle = np.deg2rad(degrees)
        turn = 0.6 * np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        expected = (upright - 360) @ turn.T + 360
        assert float(np.linalg.norm(found - expected, axis=1).mean()) < 4


def test_every_face_is_found_once_and_the_largest_comes_first(
    tracker: FaceTracker, portrait: Picture
) -> None:
    room = np.full((900, 1600, 3), 120, np.uint8)
    for side, x, y in ((300, 40, 500), (560, 400, 40), (200, 1300, 30)):
        room = pasted(room, scaled(portrait, side), x, y)
    faces = tracker.detect(room)
    assert [round(face.x // 400) for face in faces] == [1, 0, 3]
    assert faces[0].area > faces[1].area > faces[2].area


def test_a_small_face_in_the_corner_of_a_large_picture_is_found(
    tracker: FaceTracker, portrait: Picture
) -> None:
    wall = np.full((2160, 3840, 3), (140, 130, 120), np.uint8)
    (found,) = tracker.detect(pasted(wall, scaled(portrait, 330), 3480, 1800))
    assert 3480 < found.x < 3840
    assert 1800 < found.y < 2160


def test_a_face_that_fills_the_picture_is_found(tracker: FaceTracker, portrait: Picture) -> None:
    (found,) = tracker.detect(np.ascontiguousarray(portrait[180:540, 210:510]))
    assert found.width > 200


def test_noise_and_emptiness_have_no_faces(tracker: FaceTracker) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (480, 640, 3), dtype=np.uint8)
    assert tracker.detect(noise) == []
    assert tracker.detect(np.zeros((64, 64, 3), np.uint8)) == []


@pytest.mark.parametrize("shape", [(1, 1), (2, 900), (900, 3)])
def test_thin_pictures_do_no_harm(tracker: FaceTracker, shape: tuple[int, int]) -> None:
    assert tracker.detect(np.full((*shape, 3), 200, np.uint8)) == []


def test_the_same_picture_gives_the_same_points(tracker: FaceTracker, face: Picture) -> None:
    box = tracker.detect(face)[0]
    first, second = tracker.landmarks(face, box), tracker.landmarks(face, box)
    assert np.array_equal(first.points, second.points)


def test_a_moving_face_is_followed(tracker: FaceTracker, face: Picture) -> None:
    room = np.full((300, 480, 3), 110, np.uint8)
    places = list(range(0, 240, 12))
    found = list(tracker.track(pasted(room, face, x, 30) for x in places))
    noses = np.array([landmarks.points[1, 0] for landmarks in found if landmarks])
    assert len(noses) == len(places)
    assert np.allclose(np.diff(noses), 12, atol=1.5)


def test_a_face_that_goes_is_lost_and_found_again(tracker: FaceTracker, face: Picture) -> None:
    empty = np.full_like(face, 110)
    found = list(tracker.track([face, face, empty, empty, face]))
    assert [landmarks is not None for landmarks in found] == [True, True, False, False, True]


def test_the_face_that_is_followed_stays_it_when_a_larger_one_comes(
    tracker: FaceTracker, portrait: Picture
) -> None:
    room = np.full((400, 800, 3), 110, np.uint8)
    alone = pasted(room, scaled(portrait, 240), 20, 60)
    both = pasted(alone, scaled(portrait, 400), 400, 0)
    found = list(tracker.track([alone] + [both] * 14))
    assert all(landmarks is not None and landmarks.points[1, 0] < 260 for landmarks in found)


def test_the_box_of_landmarks_names_their_parts() -> None:
    points = np.zeros((468, 3), np.float32)
    points[263] = (30, 10, 0)
    box = Landmarks(points, 0.9).box
    assert (box.x, box.y, box.width, box.height) == (0, 0, 30, 10)
    assert box.keypoints[1].tolist() == [30, 10]


def test_missing_models_are_named_with_the_command_that_helps(tmp_path: Path) -> None:
    with pytest.raises(Unmet, match="fetch_face_models") as caught:
        FaceTracker.load(tmp_path)
    assert caught.value.reason is Reason.WEIGHTS_MISSING


def test_a_damaged_model_is_not_a_crash(tmp_path: Path) -> None:
    for name in ("face_landmark", "face_detection_short_range", "face_detection_full_range_sparse"):
        (tmp_path / f"{name}.tflite").write_bytes(b"not a model")
    with pytest.raises(Unmet, match="cannot be loaded"):
        FaceTracker.load(tmp_path)


@settings(deadline=None, max_examples=50)
@given(st.integers(1, 5000), st.integers(1, 5000))
def test_tiles_cover_the_picture_and_overlap(length: int, side: int) -> None:
    starts = tile_starts(length, side)
    if side >= length:
        assert len(starts) == 1
        assert starts[0] <= 0
        assert starts[0] + side >= length
    else:
        assert starts[0] == 0
        assert starts[-1] == length - side
        assert all(b - a <= side * 2 / 3 + 1 for a, b in pairwise(starts))


boxes = st.builds(
    FaceBox,
    x=st.floats(-50, 50),
    y=st.floats(-50, 50),
    width=st.floats(1, 80),
    height=st.floats(1, 80),
    score=st.just(1.0),
    keypoints=st.just(np.zeros((6, 2), np.float32)),
)


@settings(deadline=None, max_examples=50)
@given(boxes, boxes)
def test_overlap_is_symmetric_and_between_nothing_and_all(a: FaceBox, b: FaceBox) -> None:
    assert a.iou(b) == pytest.approx(b.iou(a))
    assert 0 <= a.iou(b) <= 1 + 1e-9
    assert a.iou(a) == pytest.approx(1)
