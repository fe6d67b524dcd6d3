from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.lipsync.avatar import Avatar
from services.lipsync.engines.viseme.face import (
    LOWER_INNER,
    UPPER_INNER,
    HeadPose,
    follow,
    gap,
    head_pose,
    inset_lips,
    neutral,
)
from services.lipsync.engines.viseme.lipline import lip_line
from services.lipsync.engines.viseme.rig import LOWER_LINE, UPPER_LINE, build_rig
from services.lipsync.engines.viseme.surface import Box, finer, write_yuv, yuv_of
from services.lipsync.engines.viseme.visemes import VISEMES
from services.lipsync.engines.viseme.warp import basis, solve

RANDOM = np.random.default_rng(7)


@pytest.fixture(scope="module")
def face(portrait: Avatar) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    points = portrait.landmarks[0].astype(np.float64)
    return head_pose(points).locate(points)


def test_a_spline_goes_through_its_points_and_is_still_where_nothing_moves() -> None:
    controls, moves = RANDOM.uniform(-1, 1, (30, 2)), RANDOM.uniform(-0.1, 0.1, (30, 2))
    places = controls.astype(np.float32)
    everywhere, none = solve(controls, np.hstack((moves, 0 * moves)), [list(range(30))])[0].T[[0, 2]]
    assert basis(places, controls) @ everywhere == pytest.approx(moves[:, 0], abs=0.01)
    assert not (basis(places, controls) @ none).any()


def test_a_spline_of_some_points_ignores_the_others() -> None:
    controls, moves = RANDOM.uniform(-1, 1, (12, 2)), RANDOM.uniform(-0.1, 0.1, (12, 2))
    (weights,) = solve(controls, moves, [[0, 3, 5, 7, 9]])
    moves[1] += 5
    assert (solve(controls, moves, [[0, 3, 5, 7, 9]])[0] == weights).all()


def test_affine_motion_is_reproduced_exactly() -> None:
    controls = RANDOM.uniform(-1, 1, (20, 2))
    turn = np.array([[0.1, -0.2], [0.3, 0.05]])
    (weights,) = solve(controls, controls @ turn + 0.4, [list(range(20))])
    places = RANDOM.uniform(-2, 2, (50, 2)).astype(np.float32)
    assert basis(places, controls) @ weights == pytest.approx(places @ turn + 0.4, abs=2e-3)


@settings(max_examples=15)
@given(angles=st.tuples(*[st.floats(-0.7, 0.7)] * 3), scale=st.floats(10, 400))
def test_a_pose_is_found_again_from_stable_points(angles: tuple[float, float, float], scale: float) -> None:
    rotation = np.asarray(cv2.Rodrigues(np.array(angles))[0], np.float64)
    pose = HeadPose(np.array((310.0, 190.0, 7.0)), rotation * scale, scale)
    local = np.random.default_rng(1).normal(size=(468, 3))
    points = pose.origin + local @ pose.axes.T
    found = follow(local, points)
    assert found.scale == pytest.approx(scale)
    assert found.project(local) == pytest.approx(points[:, :2], abs=1e-6)
    assert found.locate(points) == pytest.approx(local, abs=1e-6)


def test_a_neutral_mouth_is_closed(face: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> None:
    open_ = face.copy()
    open_[list(LOWER_INNER[1:-1]), 1] += 0.2
    assert gap(open_) > 0.15
    assert gap(neutral(open_)) == 0.0
    assert gap(inset_lips(open_)) > gap(open_)


@pytest.mark.parametrize("name", ["rest", "bilabial"])
def test_poses_that_close_the_lips_close_them_along_their_whole_length(
    name: str, face: np.ndarray[tuple[int, ...], np.dtype[np.float64]]
) -> None:
    rig = build_rig(neutral(face), 0.0)
    pose = np.array(VISEMES[name].pose)
    controls = rig.controls(pose)
    assert controls[list(LOWER_LINE)] == pytest.approx(controls[list(UPPER_LINE)], abs=1e-9)


@pytest.mark.parametrize("name", ["ah", "ee", "oo", "labiodental", "sibilant", "lateral", "schwa"])
def test_poses_that_open_the_lips_never_cross_them(
    name: str, face: np.ndarray[tuple[int, ...], np.dtype[np.float64]]
) -> None:
    rig = build_rig(neutral(face), 0.0)
    controls = rig.controls(np.array(VISEMES[name].pose))
    opening = controls[list(LOWER_LINE), 1] - controls[list(UPPER_LINE), 1]
    assert opening.min() > -2e-3
    assert opening[5] > 0.005


def test_rounding_narrows_the_mouth_and_spreading_widens_it(
    face: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
) -> None:
    rig = build_rig(neutral(face), 0.0)
    widths = {}
    for name in ("oo", "rest", "ee"):
        corners = rig.controls(np.array(VISEMES[name].pose))[[0, 10], 0]
        widths[name] = corners[1] - corners[0]
    assert widths["oo"] < 0.9 * widths["rest"]
    assert widths["ee"] > 1.05 * widths["rest"]


def test_the_line_between_closed_lips_is_found_where_it_is_dark(
    portrait: Avatar, face: np.ndarray[tuple[int, ...], np.dtype[np.float64]]
) -> None:
    pose = head_pose(portrait.landmarks[0].astype(np.float64))
    truth = (face[list(UPPER_INNER)] + face[list(LOWER_INNER)]) / 2
    truth[:, 1] += 0.03
    luma = np.full((portrait.height, portrait.width), 170, np.uint8)
    at = (pose.project(truth) * 16).round().astype(np.int32)
    cv2.polylines(luma, [at], False, 60, 1, cv2.LINE_AA, 4)
    found = lip_line(luma, pose, face)
    assert np.abs(found[1:-1, 1] - truth[1:-1, 1]).max() < 0.012


def test_a_finer_copy_keeps_the_pixels() -> None:
    yuv = RANDOM.integers(0, 256, (20, 26, 4)).astype(np.uint8)
    fine = finer(yuv, 2)
    assert fine.shape == (40, 52, 4)
    assert (fine[::2, ::2] == yuv).all()
    assert finer(yuv, 1) is yuv


def test_the_way_to_yuv_and_back_keeps_what_is_smooth() -> None:
    planes = np.full((60, 60), 128, np.uint8)
    planes[:40] = np.linspace(30, 200, 60).astype(np.uint8)
    box = Box(10, 4, 40, 30)
    back = planes.copy()
    write_yuv(back, box, yuv_of(planes, box))
    assert (back == planes).all()


def test_parts_of_a_frame_look_the_same_as_the_whole() -> None:
    planes = RANDOM.integers(0, 256, (60, 48)).astype(np.uint8)
    whole = yuv_of(planes, Box(0, 0, 48, 40))
    part = yuv_of(planes, Box(10, 8, 30, 24))
    assert (part == whole[8:24, 10:30]).all()
