"""Pictures and videos of faces for the tests of avatars."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import av
import cv2
import numpy as np
import numpy.typing as npt
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter

if TYPE_CHECKING:
    from av.video.stream import VideoStream

Picture = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Shape:
    """How a video is stored."""

    codec: str = "libx264"
    pixel_format: str = "yuv420p"
    rotation: int = 0
    aspect: Fraction | None = None
    matrix: int | None = None
    full_range: bool = False
    transfer: int | None = None
    options: tuple[tuple[str, str], ...] = (("crf", "12"), ("preset", "ultrafast"))
    container: tuple[tuple[str, str], ...] = ()


def write_video(
    path: Path,
    pictures: Iterable[Picture],
    fps: Fraction = Fraction(25),
    times: Sequence[Fraction] | None = None,
    shape: Shape = Shape(),
) -> Path:
    """Write a video of BGR pictures, shown at `times` in seconds or at a steady rate."""
    unit = Fraction(1, 90_000)
    reformatter = VideoReformatter()
    with av.open(str(path), "w", options=dict(shape.container)) as container:
        added = container.add_stream(shape.codec, rate=fps, options=dict(shape.options))
        stream = cast("VideoStream", added)
        context = stream.codec_context
        context.pix_fmt = shape.pixel_format
        context.time_base = unit
        if shape.matrix is not None:
            context.colorspace = shape.matrix
        if shape.transfer is not None:
            context.color_trc = shape.transfer
        if shape.full_range:
            context.color_range = 2
        for number, picture in enumerate(pictures):
            if number == 0:
                context.height, context.width = picture.shape[:2]
                if shape.aspect:
                    context.sample_aspect_ratio = shape.aspect
                if shape.rotation:
                    stream.set_display_rotation(shape.rotation)
            frame = _converted(reformatter, picture, shape)
            time = times[number] if times else number / fps
            frame.pts, frame.time_base = round(time / unit), unit
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def _converted(reformatter: VideoReformatter, picture: Picture, shape: Shape) -> VideoFrame:
    frame = VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="bgr24")
    matrix = shape.matrix or 1
    return reformatter.reformat(
        frame,
        format=shape.pixel_format,
        src_colorspace=matrix,
        dst_colorspace=matrix,
        src_color_range=2,
        dst_color_range=2 if shape.full_range else 1,
        interpolation=Interpolation.BILINEAR | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT,
    )


def scaled(picture: Picture, side: int) -> Picture:
    """A square picture at another size."""
    return np.asarray(cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA), np.uint8)


def pasted(canvas: Picture, picture: Picture, x: int, y: int) -> Picture:
    """A copy of the canvas with a picture put on it."""
    result = canvas.copy()
    result[y : y + picture.shape[0], x : x + picture.shape[1]] = picture
    return result


def turned(picture: Picture, degrees: float, scale: float = 1.0) -> Picture:
    """The picture turned about its middle, counter-clockwise."""
    height, width = picture.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, scale)
    return np.asarray(cv2.warpAffine(picture, matrix, (width, height), borderValue=(90, 90, 90)), np.uint8)


def write_picture(path: Path, picture: npt.NDArray[Any], *options: int) -> Path:
    """Write a picture in the format of the file's ending."""
    assert cv2.imwrite(str(path), picture, list(options))
    return path


def write_sound(path: Path) -> Path:
    """A second of silence in a container of the file's ending."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=48_000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 48_000), np.float32), format="fltp", layout="mono")
        frame.rate = 48_000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path
