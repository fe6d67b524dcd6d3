"""A picture that stands for a movie until it is played."""

from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import av
from av.error import FFmpegError
from av.video.codeccontext import VideoCodecContext
from av.video.reformatter import ColorRange, Colorspace

from mouthpiece.errors import BadInput

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

MAX_SIDE = 320
"""Pixels of the longer side."""

_QUALITY = "4"
"""Of the encoder's scale from 2 to 31, on which less is better; about 15 kB for a face."""
_TIME_BASE = Fraction(1, 25)
_START, _REMARK = b"\xff\xd8", b"\xff\xfe"


def make_poster(movie: Path, remark: str) -> bytes:
    """The frame in the middle of a movie as JPEG, with a remark as its comment.

    Raises `BadInput` (field ``movie``) when it cannot be decoded.
    """
    try:
        picture = _encoded(_middle(movie))
    except FFmpegError as error:
        raise BadInput("movie", f"cannot be decoded: {error.strerror}") from None
    text = remark.encode()
    return _START + _REMARK + struct.pack(">H", 2 + len(text)) + text + picture.removeprefix(_START)


def _middle(movie: Path) -> VideoFrame:
    with av.open(str(movie)) as container:
        stream = container.streams.video[0]
        middle = (stream.start_time or 0) + (stream.duration or 0) // 2
        container.seek(middle, stream=stream)  # to the keyframe before it
        shown: VideoFrame | None = None
        for frame in container.decode(stream):
            shown = frame
            if (frame.pts or 0) >= middle:
                break
        if shown is None:
            raise BadInput("movie", "has no frame")
        return shown


def _encoded(frame: VideoFrame) -> bytes:
    scale = min(1.0, MAX_SIDE / max(frame.width, frame.height))
    width, height = (max(2, round(side * scale) // 2 * 2) for side in (frame.width, frame.height))
    picture = frame.reformat(
        width,
        height,
        "yuvj420p",
        # Pictures are read with the matrix of BT.601, and black is 0 in them.
        src_colorspace=Colorspace.ITU709,
        dst_colorspace=Colorspace.ITU601,
        src_color_range=ColorRange.MPEG,
        dst_color_range=ColorRange.JPEG,
    )
    picture.pts, picture.time_base = 0, _TIME_BASE
    encoder = VideoCodecContext.create("mjpeg", "w")
    encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuvj420p"
    encoder.time_base = _TIME_BASE
    encoder.options = {"qscale": _QUALITY}
    return b"".join(bytes(packet) for packet in [*encoder.encode(picture), *encoder.encode(None)])
