"""Decoded frames as upright 8-bit BGR pictures, whatever their pixel format, matrix and orientation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace, ColorTrc, Interpolation, VideoReformatter

from services.lipsync.avatar._hdr import sdr_from_hlg, sdr_from_pq
from services.lipsync.avatar._sniff import Turn
from services.lipsync.avatar.color import BT709, I420, Coding, Picture, i420_to_bgr

BACKDROP = 208
"""Grey level behind transparent pixels."""

_CAREFULLY = Interpolation.BILINEAR | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT
"""Without the last two, all colours come out a level or two too dark."""

_DEEP = Interpolation.BILINEAR | Interpolation.ACCURATE_RND
"""Interpolating chroma in full breaks the colours of 16-bit output (libswscale 9)."""

_MATRICES: dict[int, Colorspace] = {
    1: Colorspace.ITU709,
    4: Colorspace.FCC,
    5: Colorspace.ITU601,
    6: Colorspace.ITU601,
    7: Colorspace.SMPTE240M,
    9: Colorspace.BT2020,
    10: Colorspace.BT2020,
}
"""By matrix coefficients of ITU-T H.273, table 4."""
_SHARES: dict[int, tuple[float, float]] = {
    Colorspace.ITU709: (BT709.red, BT709.blue),
    Colorspace.ITU601: (0.299, 0.114),
}
"""Red and blue in luma."""
_TURNS = {0: Turn.NONE, 90: Turn.LEFT, 180: Turn.HALF, 270: Turn.RIGHT}


@dataclass(frozen=True, slots=True)
class Upright:
    """An upright picture.

    `planes` are the encoder's own planes of it, where the source has just those. `transparent`: there were
    transparent pixels, through which a grey backdrop shows.
    """

    bgr: Picture
    planes: I420 | None = None
    transparent: bool = False


class Converter:
    """Converts the frames of one source.

    `still` tells pictures from videos, `turn` overrides what frames say of their orientation.
    """

    def __init__(self, *, still: bool, turn: Turn | None) -> None:
        self._still = still
        self._turn = turn
        self._reformatter = VideoReformatter()

    def __call__(self, frame: VideoFrame) -> Upright:
        """Convert one frame."""
        turn = self.turn(frame)
        coding = self._coding(frame)
        if coding is not None:
            planes = np.ascontiguousarray(frame.to_ndarray(), np.uint8)
            picture = i420_to_bgr(planes, coding)
            if turn is Turn.NONE and coding == BT709:
                return Upright(picture, planes)
            return Upright(np.ascontiguousarray(turned(picture, turn)))
        picture, transparent = self._bgr(frame)
        return Upright(np.ascontiguousarray(turned(picture, turn)), transparent=transparent)

    def turn(self, frame: VideoFrame) -> Turn:
        """How the frame becomes upright."""
        return self._turn or _TURNS[round(frame.rotation / 90) * 90 % 360]

    def _coding(self, frame: VideoFrame) -> Coding | None:
        """The coding of planar 8-bit 4:2:0, which is converted here: faster, and rounded without bias."""
        shares = _SHARES.get(self._matrix(frame))
        even = frame.width % 2 == 0 and frame.height % 2 == 0
        if shares is None or not even or is_hdr(frame) or frame.format.name not in ("yuv420p", "yuvj420p"):
            return None
        return Coding(*shares, full_range=_full_range(frame))

    def _bgr(self, frame: VideoFrame) -> tuple[Picture, bool]:
        """The picture as stored, and whether it has transparent pixels."""
        if is_hdr(frame):
            tone_map = sdr_from_pq if frame.color_trc == ColorTrc.SMPTE2084 else sdr_from_hlg
            return tone_map(np.asarray(self._reformat(frame, "rgb48le").to_ndarray(), np.uint16)), False
        if _has_alpha(frame):
            bgra = np.asarray(self._reformat(frame, "bgra").to_ndarray(), np.uint8)
            if bgra[:, :, 3].min() < 255:
                return _over_backdrop(bgra), True
            return bgra[:, :, :3], False
        return np.asarray(self._reformat(frame, "bgr24").to_ndarray(), np.uint8), False

    def _reformat(self, frame: VideoFrame, pixel_format: str) -> VideoFrame:
        matrix = self._matrix(frame)
        return self._reformatter.reformat(
            frame,
            format=pixel_format,
            src_colorspace=matrix,
            dst_colorspace=matrix,
            src_color_range=ColorRange.JPEG if _full_range(frame) else ColorRange.MPEG,
            dst_color_range=ColorRange.JPEG,
            interpolation=_DEEP if pixel_format == "rgb48le" else _CAREFULLY,
        )

    def _matrix(self, frame: VideoFrame) -> int:
        """Matrix of the frame; where it does not say, what players assume: BT.601 up to 1024 x 576."""
        if frame.format.is_rgb:
            return Colorspace.DEFAULT
        if frame.colorspace in _MATRICES:
            return _MATRICES[frame.colorspace]
        large = frame.height > 576 or frame.width > 1024
        return Colorspace.ITU709 if large and not self._still else Colorspace.ITU601


def _has_alpha(frame: VideoFrame) -> bool:
    return frame.format.has_palette or any(component.is_alpha for component in frame.format.components)


def is_hdr(frame: VideoFrame) -> bool:
    """Whether the frame is coded for brighter screens than ours."""
    return frame.color_trc in (ColorTrc.SMPTE2084, ColorTrc.ARIB_STD_B67)


def turned(picture: Picture, turn: Turn) -> Picture:
    """The picture upright; possibly a view."""
    match turn:
        case Turn.NONE:
            return picture
        case Turn.MIRROR:
            return picture[:, ::-1]
        case Turn.HALF:
            return picture[::-1, ::-1]
        case Turn.FLIP:
            return picture[::-1]
        case Turn.TRANSPOSE:
            return picture.transpose(1, 0, 2)
        case Turn.RIGHT:
            return picture.transpose(1, 0, 2)[:, ::-1]
        case Turn.TRANSVERSE:
            return picture.transpose(1, 0, 2)[::-1, ::-1]
        case Turn.LEFT:
            return picture.transpose(1, 0, 2)[::-1]


def _full_range(frame: VideoFrame) -> bool:
    if frame.color_range in (ColorRange.MPEG, ColorRange.JPEG):
        return frame.color_range == ColorRange.JPEG
    name = frame.format.name
    return frame.format.is_rgb or name.startswith(("yuvj", "gray", "ya", "pal", "mono"))


def _over_backdrop(bgra: npt.NDArray[np.uint8]) -> Picture:
    alpha = bgra[:, :, 3:].astype(np.uint16)
    mixed = bgra[:, :, :3] * alpha + np.uint16(BACKDROP) * (255 - alpha)
    return ((mixed + 127) // 255).astype(np.uint8)
