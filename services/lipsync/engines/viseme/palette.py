"""The colours of the inside of a mouth, taken from the face around it."""

from __future__ import annotations

import cv2
import numpy as np

from services.lipsync.engines.viseme.arrays import Bytes, Floats
from services.lipsync.engines.viseme.face import LOWER_INNER, LOWER_OUTER
from services.lipsync.engines.viseme.mouth import OFFSET, Palette

_LEFT_CHEEK = (50, 101, 36, 206, 216, 207)
_RIGHT_CHEEK = (280, 330, 266, 426, 436, 427)


def face_palette(yuv: Bytes, points: Floats, unit: float) -> Palette:
    """The palette of a face in a picture (h, w, 4) with landmarks (468, 2) in its pixels.

    Teeth are as bright as the skin in the light and keep part of its tint, which is that of the light and,
    in a painting, of the varnish.
    """
    left, right = (_mean_inside(yuv, points[list(ring)]) for ring in (_LEFT_CHEEK, _RIGHT_CHEEK))
    skin = np.maximum(left, right, where=[True, False, False], out=(left + right) / 2)
    lip = _mean_inside(yuv, np.vstack((points[list(LOWER_OUTER[2:-2])], points[list(LOWER_INNER[-3:2:-1])])))
    apart = float(np.hypot(*(points[280] - points[50]))) / unit
    slant = np.clip((right[0] - left[0]) / max(skin[0], 8.0) / max(apart, 0.3), -0.5, 0.5)
    warmth = min(float(np.hypot(lip[1], lip[2])) / 12.0, 1.0)
    tooth = np.array([min(skin[0] * 1.10 + 6.0, 205.0), skin[1] * 0.46, skin[2] * 0.40])
    return Palette(
        tooth=tooth,
        gum=np.array([lip[0] * 0.62, lip[1] * 0.8, lip[2] * 0.95 + 4.0 * warmth]),
        tongue=np.array([0.50 * lip[0] + 0.10 * skin[0], 0.6 * lip[1], lip[2] * 0.75 + 8.0 * warmth]),
        cavity=np.array([lip[0] * 0.10 + 3.0, lip[1] * 0.25, lip[2] * 0.30 + 3.0 * warmth]),
        slant=float(slant),
    )


def _mean_inside(yuv: Bytes, ring: Floats) -> Floats:
    mask = np.zeros(yuv.shape[:2], np.uint8)
    cv2.fillConvexPoly(mask, cv2.convexHull(ring.round().astype(np.int32)), 255)
    return np.array(cv2.mean(yuv, mask)[:3], np.float64) - OFFSET[:3].astype(np.float64)
