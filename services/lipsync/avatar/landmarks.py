"""468 face landmarks (Kartynnik et al. 2019, "Real-time Facial Surface Geometry"), one picture or a clip.

A picture of the face, turned upright by the eye line, goes through the landmark model; the points come
back in pixels of the whole picture. In a clip the crop of a frame is taken from the landmarks of the frame
before; faces are searched for only when the track is lost or no longer agrees with the detector.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import atan2, cos, hypot, sin
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from services.lipsync.avatar._networks import Floats, Network, sigmoid
from services.lipsync.avatar.color import Picture
from services.lipsync.avatar.detection import FaceBox, FaceDetector
from services.lipsync.avatar.models import FACE_LANDMARK, model_path

Matrix = npt.NDArray[np.float64]

LANDMARKS = 468
EYE_LEFT, EYE_RIGHT = 33, 263
"""Outer eye corners on the left and on the right side of the picture."""

MIN_PRESENCE = 0.5
CROP_SCALE = 1.5
"""Side of the crop in units of the box of the face."""
SETTLE_PASSES = 3
"""A crop from the detector is coarse; each pass takes a better one from the landmarks of the pass before."""
SEARCH_EVERY = 6
"""Frames between thorough searches while no face is to be seen."""
CHECK_EVERY = 12
"""Frames between looks of the detector at a face that is being tracked."""


@dataclass(frozen=True, slots=True)
class Landmarks:
    """Points of one face: float32 (468, 3), x and y in pixels, z in the same unit, smaller is nearer.

    Whole numbers are the middles of pixels, as in OpenCV. `presence` is how sure the model is that there
    is a face, between 0 and 1.
    """

    points: Floats
    presence: float

    @property
    def box(self) -> FaceBox:
        """Bounding box of the points, with the eyes, nose, mouth and ears that a detector would give."""
        flat = self.points[:, :2]
        (left, top), (right, bottom) = flat.min(axis=0), flat.max(axis=0)
        keypoints = flat[[EYE_LEFT, EYE_RIGHT, 1, 13, 234, 454]]
        size = float(right - left), float(bottom - top)
        return FaceBox(float(left), float(top), *size, score=self.presence, keypoints=keypoints)


@dataclass(frozen=True, slots=True)
class _Crop:
    """An upright square in the picture: centre, side, and angle of the eye line in radians."""

    x: float
    y: float
    side: float
    angle: float

    def matrix(self, size: int) -> Matrix:
        """Affine (2, 3) from pixels of a crop of `size` to pixels of the picture."""
        step = self.side / size
        c, s, half = cos(self.angle) * step, sin(self.angle) * step, (size - 1) / 2
        return np.array([[c, -s, self.x - c * half + s * half], [s, c, self.y - s * half - c * half]])


class FaceTracker:
    """Finds faces and their landmarks. Deterministic; not safe to call from two threads at a time."""

    def __init__(self, detector: FaceDetector, landmark_model: Network) -> None:
        self._detector = detector
        self._model = landmark_model

    @classmethod
    def load(cls, models_dir: Path) -> FaceTracker:
        """Load the models; raises `Unmet` (WEIGHTS_MISSING) when one is not in `models_dir`."""
        return cls(FaceDetector(models_dir), Network(model_path(FACE_LANDMARK, models_dir)))

    def detect(self, picture: Picture, *, thorough: bool = True) -> list[FaceBox]:
        """Faces of a BGR picture that the landmark model agrees with, largest first.

        Boxes from which it arrives at the same face are one face. Not `thorough`: only faces that stand out.
        """
        kept: list[tuple[FaceBox, FaceBox]] = []
        for face in sorted(self._detector.detect(picture, thorough=thorough), key=lambda face: -face.score):
            found = self.landmarks(picture, face)
            if found.presence >= MIN_PRESENCE and not any(found.box.is_same(other) for _, other in kept):
                kept.append((face, found.box))
        return sorted((face for face, _ in kept), key=lambda face: -face.area)

    def landmarks(self, picture: Picture, box: FaceBox) -> Landmarks:
        """Landmarks of the face at `box`; judge by their `presence` whether there is one."""
        found = self._run(picture, _crop_of(box))
        for _ in range(SETTLE_PASSES - 1):
            if found.presence < MIN_PRESENCE:
                break
            found = self._run(picture, _crop_around(found.points))
        return found

    def track(self, pictures: Iterable[Picture]) -> Iterator[Landmarks | None]:
        """Follow the largest face of the first picture that has one; `None` where it is not to be seen."""
        last: Landmarks | None = None
        lost = 0
        for index, picture in enumerate(pictures):
            found = self._follow(picture, last, check=index % CHECK_EVERY == 0) if last and not lost else None
            found = found or self._search(picture, last, thorough=lost % SEARCH_EVERY == 0)
            lost = 0 if found else lost + 1
            last = found or last
            yield found

    def _follow(self, picture: Picture, last: Landmarks, *, check: bool) -> Landmarks | None:
        found = self._run(picture, _crop_around(last.points))
        if found.presence < MIN_PRESENCE or _escaped(found, picture):
            return None
        if check and not self._confirmed(picture, found):
            return None
        return found

    def _confirmed(self, picture: Picture, found: Landmarks) -> bool:
        """Whether the detector sees the tracked face; where it sees nothing at all, the track is believed."""
        faces = self._detector.detect(picture, thorough=False)
        return not faces or any(face.iou(found.box) > 0.2 for face in faces)

    def _search(self, picture: Picture, last: Landmarks | None, *, thorough: bool) -> Landmarks | None:
        faces = self.detect(picture, thorough=thorough)
        if last is not None:  # the face that was followed, if it is still there, goes before a larger one
            box = last.box
            faces.sort(key=lambda face: face.iou(box) < 0.1)
        for face in faces:
            found = self.landmarks(picture, face)
            if found.presence >= MIN_PRESENCE:
                return found
        return None

    def _run(self, picture: Picture, crop: _Crop) -> Landmarks:
        size = self._model.side
        raw, presence = self._model(_upright(picture, crop, size).astype(np.float32) / 255.0)
        local = raw.reshape(LANDMARKS, 3)
        matrix = crop.matrix(size)
        points = np.empty((LANDMARKS, 3), np.float32)
        # The model counts pixels from their corner, OpenCV from their centre.
        points[:, :2] = (local[:, :2] - 0.5) @ matrix[:, :2].T + matrix[:, 2]
        points[:, 2] = local[:, 2] * (crop.side / size)
        return Landmarks(points, float(sigmoid(presence.reshape(1))[0]))


def _crop_of(face: FaceBox) -> _Crop:
    """The square around a face, turned so that its eyes are level."""
    (left_x, left_y), (right_x, right_y) = (map(float, point) for point in face.keypoints[:2])
    return _Crop(
        face.x + face.width / 2,
        face.y + face.height / 2,
        max(face.width, face.height, 1.0) * CROP_SCALE,
        atan2(right_y - left_y, right_x - left_x),
    )


def _crop_around(points: Floats) -> _Crop:
    """The square around landmarks, turned so that the eyes are level."""
    flat = points[:, :2].astype(np.float64)
    across = flat[EYE_RIGHT] - flat[EYE_LEFT]
    angle = atan2(float(across[1]), float(across[0]))
    turn = np.array([[cos(angle), -sin(angle)], [sin(angle), cos(angle)]])
    level = flat @ turn
    low, high = level.min(axis=0), level.max(axis=0)
    x, y = turn @ ((low + high) / 2)
    return _Crop(float(x), float(y), max(1.0, float((high - low).max())) * CROP_SCALE, angle)


def _upright(picture: Picture, crop: _Crop, size: int) -> Picture:
    """The crop as an RGB picture of `size` × `size`, reduced without aliasing; black beyond the edges."""
    matrix = crop.matrix(size)
    reduction = int(crop.side / size)
    if reduction >= 2:
        picture, matrix = _reduced(picture, crop, matrix, reduction)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(picture, matrix, (size, size), flags=flags)[:, :, ::-1], np.uint8)


def _reduced(picture: Picture, crop: _Crop, matrix: Matrix, by: int) -> tuple[Picture, Matrix]:
    """The surroundings of the crop, `by` times smaller, and the matrix that cuts the same crop from them."""
    reach = int(crop.side * hypot(0.5, 0.5)) + by
    left, top = (max(0, int(middle) - reach) for middle in (crop.x, crop.y))
    part = picture[top : max(0, int(crop.y) + reach), left : max(0, int(crop.x) + reach)]
    if part.size == 0:
        return np.zeros((1, 1, 3), np.uint8), matrix
    width, height = (-(-length // by) for length in (part.shape[1], part.shape[0]))
    moved = matrix.copy()
    moved[:, 2] += 0.5 - np.array([left, top])
    moved *= np.array([[width / part.shape[1]], [height / part.shape[0]]])
    moved[:, 2] -= 0.5
    return np.asarray(cv2.resize(part, (width, height), interpolation=cv2.INTER_AREA), np.uint8), moved


def _escaped(found: Landmarks, picture: Picture) -> bool:
    """Whether most of the face has left the picture."""
    height, width = picture.shape[:2]
    x, y = found.points[:, 0], found.points[:, 1]
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    return bool(inside.mean() < 0.5)
