"""Between BGR and the planes that the encoder takes: I420, BT.709, limited range.

Chroma samples lie on the left column of each 2 × 2 block, half-way between its rows: where H.264 says they
are unless told otherwise. Both ways are pure functions of the pixels, the same on every machine but for the
last bit.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

Picture = npt.NDArray[np.uint8]
"""uint8 BGR picture of shape (height, width, 3)."""

I420 = npt.NDArray[np.uint8]
"""One picture as planes Y, U, V: uint8 of shape (height * 3 // 2, width), BT.709, limited range."""

_Matrix = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Coding:
    """How Y, U and V stand for colours: shares of red and blue in luma, and whether black is 0 or 16."""

    red: float
    blue: float
    full_range: bool = False

    def to_yuv(self) -> _Matrix:
        """Float64 (3, 4): from B, G, R and 1 to Y, U, V."""
        luma = np.array([self.blue, 1 - self.red - self.blue, self.red])
        height, reach, black = (255, 255, 0) if self.full_range else (219, 224, 16)
        rows = [np.append(luma * height / 255, black)]
        for channel, share in ((0, self.blue), (2, self.red)):
            row = (np.eye(3)[channel] - luma) * reach / 255 / (2 - 2 * share)
            rows.append(np.append(row, 128))
        return np.vstack(rows).astype(np.float64)

    def from_yuv(self) -> _Matrix:
        """Float64 (3, 4): from Y, U, V and 1 to B, G, R."""
        matrix = self.to_yuv()
        inverse = np.linalg.inv(matrix[:, :3])
        return np.hstack([inverse, -inverse @ matrix[:, 3:]]).astype(np.float64)


BT709 = Coding(red=0.2126, blue=0.0722)
"""What the encoder gets: Rec. ITU-R BT.709-6, limited range."""

_TO_YUV, _FROM_YUV = BT709.to_yuv(), BT709.from_yuv()


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


def i420_to_bgr(planes: I420, coding: Coding = BT709) -> Picture:
    """Convert planes, of another coding if need be, to a BGR picture of shape (height, width, 3)."""
    height, width = planes.shape[0] * 2 // 3, planes.shape[1]
    yuv = np.empty((height, width, 3), np.uint8)
    yuv[:, :, 0] = planes[:height]
    for channel, plane in enumerate(chroma_planes(planes), 1):
        tall = cv2.resize(plane, (width // 2, height), interpolation=cv2.INTER_LINEAR)
        yuv[:, ::2, channel] = tall
        yuv[:, 1:-1:2, channel] = cv2.addWeighted(tall[:, :-1], 0.5, tall[:, 1:], 0.5, 0)
        yuv[:, -1, channel] = tall[:, -1]
    matrix = _FROM_YUV if coding is BT709 else coding.from_yuv()
    return np.asarray(cv2.transform(yuv, matrix), np.uint8)


def chroma_planes(planes: I420) -> tuple[Picture, Picture]:
    """Views of the planes U and V of an I420 picture, each of shape (height // 2, width // 2)."""
    height, width = planes.shape[0] * 2 // 3, planes.shape[1]
    flat = planes[height:].reshape(2, height // 2, width // 2)
    return flat[0], flat[1]
