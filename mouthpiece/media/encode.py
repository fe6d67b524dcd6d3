"""Frames to video in MP4, one chunk at a time."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from time import perf_counter
from types import TracebackType
from typing import TYPE_CHECKING, Self

import av
import numpy as np
import numpy.typing as npt
from av.codec.codec import UnknownCodecError
from av.error import FFmpegError
from av.video.frame import PictureType, VideoFrame
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc

from mouthpiece.media.probe import read_chunk
from mouthpiece.media.quality import (
    HEVC_TAG,
    KEYFRAME_SECONDS,
    LONGEST_GOP_SECONDS,
    Codec,
    Encoder,
    Quality,
    encoder_options,
    keyframes_with,
)

if TYPE_CHECKING:
    from av.video.codeccontext import VideoCodecContext
    from av.video.stream import VideoStream

# Errors only: SVT-AV1 has no option for it, and else writes its settings to standard error for every chunk.
os.environ.setdefault("SVT_LOG", "1")

_PROBE_SIZE = (256, 256)
_TASKS = Path("/proc/self/task")
"""The threads of this process, on Linux."""


@dataclass(frozen=True, slots=True)
class EncodedChunk:
    """A finished chunk: its file, what is in it, and the seconds that the encoder worked on it."""

    path: Path
    frames: int
    codec_sha256: str
    size_bytes: int
    encode_seconds: float


class ChunkEncoder:
    """Writes frames of one chunk into an MP4 with one track, H.264 unless another encoder is given.

    The first frame is an IDR (a key frame in AV1) at time 0, GOPs are closed, frame n is shown at exactly
    n / fps, and the decoder configuration depends on the settings only. Colour is BT.709, limited, 4:2:0.

    Used as a context manager. Unless `finish` returned, leaving it removes the file::

        with ChunkEncoder(path, fps, width, height) as encoder:
            for frame in frames:
                encoder.write(frame)
            chunk = encoder.finish()

    ``width`` and ``height`` are even. ``threads`` above 1 make the encoder faster and its output a little
    larger, with the same pictures only for `Quality.LOSSLESS`. ``keyframes`` names frames that must be IDRs:
    the regular ones, one a second, then give way to them, and GOPs last 1.5 s at most.
    """

    def __init__(
        self,
        path: Path,
        fps: Fraction,
        width: int,
        height: int,
        quality: Quality = Quality.MEDIUM,
        *,
        threads: int = 1,
        keyframes: frozenset[int] = frozenset(),
        encoder: Encoder = Encoder.X264,
    ) -> None:
        if width < 2 or height < 2 or width % 2 or height % 2:
            raise ValueError(f"4:2:0 needs even sizes, not {width} x {height}")
        self._path = path
        self._size = (height, width)
        self._time_base = 1 / fps
        self._keyframes = keyframes_with(keyframes, fps)
        apart = LONGEST_GOP_SECONDS if keyframes else Fraction(KEYFRAME_SECONDS)
        self._frames = 0
        self._seconds = 0.0
        self._finished = False
        self._container = av.open(str(path), "w", format="mp4")
        try:
            self._stream = self._open_stream(
                encoder, encoder_options(encoder, quality, fps, apart), fps, threads
            )
        except BaseException:
            self._discard()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._finished:
            self._discard()

    @property
    def frames(self) -> int:
        """Frames written so far."""
        return self._frames

    @property
    def encode_seconds(self) -> float:
        """Wall time spent in the encoder so far."""
        return self._seconds

    def write(self, frame: npt.NDArray[np.uint8]) -> None:
        """Encode one frame: I420, uint8 of shape (height * 3 // 2, width), C-contiguous.

        The caller may overwrite the array when this returns. Raises `ValueError` for another shape.
        """
        picture = picture_of(frame, *self._size)
        picture.pts = self._frames
        picture.time_base = self._time_base
        if self._frames in self._keyframes:
            picture.pict_type = PictureType.I
        self._encode(picture)
        self._frames += 1

    def finish(self) -> EncodedChunk:
        """Write what the encoder still holds and close the file.

        Raises `ValueError` when no frame was written, `RuntimeError` when the file does not hold every frame.
        """
        if not self._frames:
            raise ValueError("a chunk has at least one frame")
        self._encode(None)
        self._container.close()
        written = read_chunk(self._path)
        if written.frames != self._frames:
            raise RuntimeError(f"{written.frames} of {self._frames} frames arrived in the file")
        self._finished = True
        return EncodedChunk(
            self._path, self._frames, written.codec_sha256, self._path.stat().st_size, self._seconds
        )

    def _open_stream(
        self, encoder: Encoder, options: dict[str, str], fps: Fraction, threads: int
    ) -> VideoStream:
        stream = self._container.add_stream(encoder.value, rate=fps, options=options)
        _set_picture(stream.codec_context, *self._size, self._time_base)
        stream.codec_context.thread_count = threads
        if encoder.codec is Codec.HEVC:
            stream.codec_context.codec_tag = HEVC_TAG
        _open(encoder, stream.codec_context)
        return stream

    def _encode(self, picture: VideoFrame | None) -> None:
        start = perf_counter()
        for packet in self._stream.encode(picture):
            packet.duration = 1  # the muxer guesses the last one otherwise
            self._container.mux(packet)
        self._seconds += perf_counter() - start

    def _discard(self) -> None:
        with suppress(FFmpegError):  # what it cannot write any more is not wanted any more
            self._container.close()
        self._path.unlink(missing_ok=True)


def working_encoders() -> tuple[Encoder, ...]:
    """Encoders that make a packet of a grey frame on this machine, by codec and best first."""
    return tuple(encoder for encoder in Encoder if _works(encoder))


def _works(encoder: Encoder) -> bool:
    fps, (height, width) = Fraction(25), _PROBE_SIZE
    try:
        context = av.CodecContext.create(encoder.value, "w")
        context.options = encoder_options(encoder, Quality.MEDIUM, fps)
        context.framerate = fps
        _set_picture(context, height, width, 1 / fps)
        _open(encoder, context)
        picture = picture_of(np.full((height * 3 // 2, width), 128, np.uint8), height, width)
        picture.pts, picture.time_base = 0, 1 / fps
        return bool([*context.encode(picture), *context.encode(None)])
    except (FFmpegError, UnknownCodecError):  # no hardware, no driver, or libavcodec was built without it
        return False


def _open(encoder: Encoder, context: VideoCodecContext) -> None:
    """Open an encoder, and take back what SVT-AV1 does where it may, as root: it makes its threads and the
    one that calls real-time ones, before which nothing else on the machine gets a turn."""
    context.open()
    if encoder is not Encoder.SVT_AV1 or not _TASKS.is_dir():
        return
    for task in (int(entry.name) for entry in _TASKS.iterdir()):
        with suppress(ProcessLookupError):  # threads come and go
            if os.sched_getscheduler(task) == os.SCHED_FIFO:
                os.sched_setscheduler(task, os.SCHED_OTHER, os.sched_param(0))


def _set_picture(context: VideoCodecContext, height: int, width: int, time_base: Fraction) -> None:
    context.height, context.width = height, width
    context.pix_fmt = "yuv420p"
    context.time_base = time_base
    context.color_primaries = ColorPrimaries.BT709
    context.color_trc = ColorTrc.BT709
    context.colorspace = Colorspace.ITU709
    context.color_range = ColorRange.MPEG


def picture_of(frame: npt.NDArray[np.uint8], height: int, width: int) -> VideoFrame:
    """Wrap the three planes of an I420 array; nothing is copied unless the array is read-only."""
    shape = (height * 3 // 2, width)
    if frame.shape != shape or frame.dtype != np.uint8 or not frame.flags.c_contiguous:
        raise ValueError(f"a frame is contiguous uint8 of shape {shape}, not {frame.dtype} {frame.shape}")
    flat = (frame if frame.flags.writeable else frame.copy()).reshape(-1)
    luma, blue, red = np.split(flat, (height * width, height * width * 5 // 4))
    half = (height // 2, width // 2)
    planes = (luma.reshape(height, width), blue.reshape(half), red.reshape(half))
    return VideoFrame.from_dlpack(planes, format="yuv420p")
