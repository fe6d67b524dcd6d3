"""Between BGR and the planes that the encoder takes: I420, BT.709, limited range.

Chroma samples lie on the left column of each 2 × 2 block, half-way between its rows: where H.264 says they
are unless told otherwise. Both ways are pure functions of the pixels, the same on every machine but for the
last bit.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

Picture = npt.NDArray[np.uint8]
"""uint8 BGR picture of shape (height, width, 3)."""

I420 = npt.NDArray[np.uint8]
"""One picture as planes Y, U, V: uint8 of shape (height * 3 // 2, width), BT.709, limited range."""

_RED, _BLUE = 0.2126, 0.0722  # Rec. ITU-R BT.709-6, 3.2
_LUMA = np.array([_BLUE, 1 - _RED - _BLUE, _RED])
_TO_YUV = np.vstack(
    [
        np.append(_LUMA * 219 / 255, 16),
        np.append((np.array([1.0, 0, 0]) - _LUMA) * 224 / 255 / (2 - 2 * _BLUE), 128),
        np.append((np.array([0, 0, 1.0]) - _LUMA) * 224 / 255 / (2 - 2 * _RED), 128),
    ]
)
_UNMIX = np.linalg.inv(_TO_YUV[:, :3])
_FROM_YUV = np.hstack([_UNMIX, -_UNMIX @ _TO_YUV[:, 3:]])


def bgr_to_i420(picture: Picture) -> I420:
    """Convert a BGR picture; raises `ValueError` when a side is odd."""
    height, width = picture.shape[:2]
    if width % 2 or height % 2:
        raise ValueError(f"4:2:0 needs even sizes, not {width} x {height}")
    planes = np.empty((height * 3 // 2, width), np.uint8)
    planes[:height] = cv2.transform(picture, _TO_YUV)[:, :, 0]
    flat = cv2.addWeighted(picture[::2], 0.5, picture[1::2], 0.5, 0)
    # Without a sigma, three taps are exactly 1/4, 1/2, 1/4; nearest neighbours are the even columns.
    smooth = cv2.GaussianBlur(flat, (3, 1), 0, borderType=cv2.BORDER_REPLICATE)
    small = cv2.resize(smooth, (width // 2, height // 2), interpolation=cv2.INTER_NEAREST)
    chroma = cv2.transform(small, _TO_YUV)
    for channel, plane in enumerate(chroma_planes(planes), 1):
        plane[:] = chroma[:, :, channel]
    return planes


def i420_to_bgr(planes: I420) -> Picture:
    """Convert planes to a BGR picture of shape (height, width, 3)."""
    height, width = planes.shape[0] * 2 // 3, planes.shape[1]
    yuv = np.empty((height, width, 3), np.uint8)
    yuv[:, :, 0] = planes[:height]
    for channel, plane in enumerate(chroma_planes(planes), 1):
        tall = cv2.resize(plane, (width // 2, height), interpolation=cv2.INTER_LINEAR)
        yuv[:, ::2, channel] = tall
        yuv[:, 1:-1:2, channel] = cv2.addWeighted(tall[:, :-1], 0.5, tall[:, 1:], 0.5, 0)
        yuv[:, -1, channel] = tall[:, -1]
    return np.asarray(cv2.transform(yuv, _FROM_YUV), np.uint8)


def chroma_planes(planes: I420) -> tuple[Picture, Picture]:
    """Views of the planes U and V of an I420 picture, each of shape (height // 2, width // 2)."""
    height, width = planes.shape[0] * 2 // 3, planes.shape[1]
    flat = planes[height:].reshape(2, height // 2, width // 2)
    return flat[0], flat[1]
