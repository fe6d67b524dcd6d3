"""The face that everyone sees first."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from services.lipsync.avatar.default import DEFAULT_KEY, default_avatar
from services.lipsync.avatar.inspection import inspect
from services.lipsync.avatar.landmarks import FaceTracker
from services.lipsync.avatar.limits import Limits
from services.lipsync.avatar.portrait import SIDE, draw_portrait
from tests.support.lipsync_media import Picture


def test_it_is_drawn_the_same_every_time(portrait: Picture) -> None:
    drawn = draw_portrait()
    assert drawn.shape == (SIDE, SIDE, 3)
    assert np.array_equal(drawn, portrait)


def test_its_face_is_found_without_doubt_and_nothing_is_wrong_with_it(
    portrait_file: Path, tracker: FaceTracker
) -> None:
    info = inspect(portrait_file, tracker, Limits()).info
    assert (info.faces, info.warnings) == (1, ())


def test_it_looks_at_the_viewer_with_its_mouth_closed(portrait: Picture, tracker: FaceTracker) -> None:
    found = tracker.landmarks(portrait, tracker.detect(portrait)[0])
    points = found.points[:, :2]
    eyes = float(np.linalg.norm(points[263] - points[33]))
    assert found.presence > 0.99
    assert eyes > SIDE / 5
    assert float(np.linalg.norm(points[14] - points[13])) < 0.02 * eyes
    assert abs(float(points[263, 1] - points[33, 1])) < 0.02 * eyes


def test_it_is_found_small_grey_and_badly_compressed(portrait: Picture, tracker: FaceTracker) -> None:
    small = cv2.resize(portrait, (200, 200), interpolation=cv2.INTER_AREA)
    coded = cv2.imencode(".jpg", cv2.cvtColor(small, cv2.COLOR_BGR2GRAY), [cv2.IMWRITE_JPEG_QUALITY, 25])[1]
    assert len(tracker.detect(np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), np.uint8))) == 1


def test_it_is_drawn_once_and_kept(tmp_path: Path) -> None:
    path = tmp_path / f"{DEFAULT_KEY}.png"
    path.write_bytes(b"kept")
    assert default_avatar(tmp_path) == path
    assert path.read_bytes() == b"kept"
