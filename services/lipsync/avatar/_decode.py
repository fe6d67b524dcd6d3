"""Opening pictures and videos, and decoding them to upright frames with their times."""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain, islice, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, cast

import av
import cv2
import numpy as np
from av.error import BlockingIOError as NeedsMore
from av.error import EOFError as NoMore
from av.error import FFmpegError
from av.filter import Graph
from av.stream import Disposition

from mouthpiece.core.timeline import MAX_FPS, MIN_FPS, STANDARD_RATES, nearest_standard_rate
from mouthpiece.errors import BadInput
from mouthpiece.media.decoders import PICTURES, SOUND, check_decoder, whitelist
from services.lipsync.avatar._convert import Converter, Upright, is_hdr
from services.lipsync.avatar._sniff import FIELD, Sniffed, Turn, sniff
from services.lipsync.avatar.limits import Limits

if TYPE_CHECKING:
    from av.container.input import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

log = logging.getLogger(__name__)

MAX_DAMAGED = Fraction(1, 10)
"""Share of a video's packets that may fail to decode before it counts as damaged."""

FAR_SECONDS = 8.0
"""Frames nearer than this are reached by decoding what lies between, others by seeking."""
MAX_SKIPPED = 400
"""Frames decoded at most on the way to one that is wanted for a look."""

MISSING_AT_LEAST = 5
"""A few packets without a picture are no damage: some codecs have them."""

DECODER_THREADS = 4
"""However many cores there are: each takes memory, of which there is a limit."""

_READABLE = whitelist(PICTURES | SOUND)

_TRANSPOSING = frozenset({Turn.TRANSPOSE, Turn.RIGHT, Turn.TRANSVERSE, Turn.LEFT})


@dataclass(frozen=True, slots=True)
class Timing:
    """When the frames of a video are shown.

    `fps` is nominal: a standard rate near the average. `seconds` is how much is used, `total` how much there
    is as far as the file says. `steady` tells whether the frames lie on a regular grid.
    """

    fps: Fraction
    frames: int
    seconds: Fraction
    total: Fraction
    steady: bool


@dataclass(frozen=True, slots=True)
class Traits:
    """What the first frame tells: the size as shown, and things that a person may want to know."""

    width: int
    height: int
    hdr: bool
    interlaced: bool


class Source:
    """An open picture or video. One user at a time."""

    def __init__(self, path: Path, limits: Limits, stack: ExitStack) -> None:
        sniffed = _accepted(path, limits)
        self.picture = sniffed.picture
        self._path = path
        self._sniffed = sniffed
        self._limits = limits
        self._stack = stack
        self._convert = Converter(still=sniffed.picture, turn=sniffed.turn)
        self._packets = self._frames = 0
        self._open()
        first = next(self._decoded(), None)
        if first is None:
            raise BadInput(FIELD, "damaged: not a single frame of it can be decoded")
        self.traits = self._traits_of(first)

    def frames(self) -> Iterator[tuple[Fraction, Upright]]:
        """Every frame with its time in seconds since the first one.

        Raises `BadInput` at the end when many of them could not be decoded.
        """
        self._go_to(0)
        self._packets = self._frames = 0
        start: Fraction | None = None
        for frame in self._deinterlaced() if self.traits.interlaced else self._decoded():
            time = _time(frame)
            start = time if start is None else start
            yield time - start, self._shown(frame)
        if self.damaged > MAX_DAMAGED * self._packets:
            raise BadInput(FIELD, f"damaged: {self.damaged} of {self._packets} frames cannot be decoded")

    def looks(self, seconds: Sequence[float]) -> Iterator[Upright]:
        """The frames shown at some times in seconds, ascending; roughly, where key frames are far apart."""
        at, decoded = -FAR_SECONDS, self._decoded()
        for second in seconds:
            if second - at >= FAR_SECONDS:
                self._go_to(second)
                decoded = self._decoded()
            frame: VideoFrame | None = None
            for frame in islice(decoded, MAX_SKIPPED):
                at = self._time(frame)
                if at >= second - 0.02:
                    break
            if frame is not None:
                yield self._shown(frame)

    @property
    def damaged(self) -> int:
        """Frames that could not be decoded; known when all the others were."""
        missing = self._packets - self._frames
        return missing if missing > MISSING_AT_LEAST else 0

    def _time(self, frame: VideoFrame) -> float:
        """Seconds since the stream's beginning."""
        start = Fraction(self._stream.start_time or 0) * (self._stream.time_base or Fraction(0))
        return float(_time(frame) - start)

    def _decoded(self) -> Iterator[VideoFrame]:
        for packet in self._container.demux(self._stream):
            self._packets += bool(packet.size) and not packet.is_discard
            try:
                for frame in packet.decode():
                    self._frames += 1
                    yield frame
            except NoMore:
                return
            except FFmpegError as error:
                log.debug("a frame cannot be decoded: %s", error)

    def _deinterlaced(self) -> Iterator[VideoFrame]:
        graph = Graph()
        filters = (
            graph.add_buffer(template=self._stream, time_base=self._stream.time_base),
            graph.add("bwdif", "mode=send_frame:deint=interlaced"),
            graph.add("buffersink"),
        )
        graph.link_nodes(*filters).configure()
        for frame in chain(self._decoded(), (None,)):
            graph.push(frame)
            yield from _pulled(graph)

    def _open(self) -> None:
        self._stack.close()
        self._container = self._stack.enter_context(_opened(self._path, self._sniffed, self._limits))
        self._stream = _video_stream(self._container)
        _guard(self._stream, self._limits)

    def _go_to(self, seconds: float) -> None:
        """Continue from the key frame before a time."""
        if self.picture:
            self._container.seek(0)
            return
        if not seconds:
            self._open()  # without an index, seeking to the beginning may miss its only key frame
            return
        unit = self._stream.time_base or Fraction(1)
        offset = (self._stream.start_time or 0) + int(seconds / unit)
        self._container.seek(offset, stream=self._stream)

    def _traits_of(self, frame: VideoFrame) -> Traits:
        aspect = self._stream.sample_aspect_ratio or Fraction(1)
        aspect = aspect if Fraction(1, 8) < aspect < 8 else Fraction(1)
        width, height = max(1, round(frame.width * aspect)), frame.height
        if self._convert.turn(frame) in _TRANSPOSING:
            width, height = height, width
        return Traits(width, height, is_hdr(frame), frame.interlaced_frame)

    def _shown(self, frame: VideoFrame) -> Upright:
        """The frame at the size of `traits`: pixels may not be square, and some videos change their size."""
        if frame.width * frame.height > self._limits.max_pixels:
            raise BadInput(FIELD, _too_large(frame.width, frame.height, self._limits))
        found = self._convert(frame)
        size = self.traits.width, self.traits.height
        if (found.bgr.shape[1], found.bgr.shape[0]) == size:
            return found
        resized = np.asarray(cv2.resize(found.bgr, size, interpolation=cv2.INTER_CUBIC), np.uint8)
        return Upright(resized, transparent=found.transparent)


@contextmanager
def open_source(path: Path, limits: Limits) -> Generator[Source]:
    """Open a file and decode its first frame; raises `BadInput` when it is not acceptable."""
    with ExitStack() as stack:
        yield Source(path, limits, stack)


def read_timing(path: Path, limits: Limits) -> Timing:
    """Times of the frames of a video, from its packets alone; raises `BadInput` when it is cut off."""
    with _opened(path, _accepted(path, limits), limits) as container:
        stream = _video_stream(container)
        unit = stream.time_base or Fraction(0)
        times = _times(container, stream, limits.max_clip_seconds)
        total = Fraction(container.duration or 0, av.time_base)
        return timing_of([time * unit for time in times], total, limits.max_clip_seconds)


def timing_of(times: list[Fraction], total: Fraction, max_seconds: float) -> Timing:
    """Timing of frames shown at `times` in seconds, ascending, of a file that claims to last `total`."""
    if len(times) < 2 or times[-1] == times[0]:
        return Timing(Fraction(0), min(1, len(times)), Fraction(0), total, steady=True)
    average = Fraction(len(times) - 1) / (times[-1] - times[0])
    steady = _is_steady(times, average)
    fps = min(MAX_FPS, max(MIN_FPS, nearest_standard_rate(average) if steady else _rounded(average)))
    lasts = times[-1] - times[0] + 1 / fps
    used = min(lasts, Fraction(max_seconds))
    return Timing(fps, max(1, round(used * fps)), used, max(total, lasts), steady=steady)


def _is_steady(times: list[Fraction], rate: Fraction) -> bool:
    """Whether nearly all frames are shown for one step of the rate."""
    odd = sum(abs(float((b - a) * rate) - 1) > 0.25 for a, b in pairwise(times))
    return odd * 20 <= len(times) - 1


def _rounded(rate: Fraction) -> Fraction:
    """A standard rate within 3 %: what varies has no exact rate anyway."""
    best = min(STANDARD_RATES, key=lambda standard: abs(standard - rate))
    return best if abs(best - rate) <= best * 3 / 100 else nearest_standard_rate(rate)


def _accepted(path: Path, limits: Limits) -> Sniffed:
    """What the file is; raises `BadInput` when it is too large, or nothing that can be read."""
    if path.stat().st_size > limits.max_bytes:
        raise BadInput(FIELD, f"larger than {limits.max_bytes >> 20} MiB, the most that is accepted")
    sniffed = sniff(path)
    if sniffed.size and sniffed.size[0] * sniffed.size[1] > limits.max_pixels:
        raise BadInput(FIELD, _too_large(*sniffed.size, limits))
    return sniffed


@contextmanager
def _opened(path: Path, sniffed: Sniffed, limits: Limits) -> Generator[InputContainer]:
    with path.open("rb") as file:
        try:
            options = {"max_pixels": str(limits.max_pixels), "codec_whitelist": _READABLE}
            container = av.open(file, "r", format=sniffed.demuxer, options=options, metadata_errors="replace")
        except FFmpegError:
            raise BadInput(FIELD, "damaged or cut off: its index cannot be read") from None
        with container:
            _check_index(_video_stream(container), path.stat().st_size)
            yield container


def _video_stream(container: InputContainer) -> VideoStream:
    for stream in container.streams.video:
        if stream.disposition & Disposition.attached_pic:
            continue
        if cast("object | None", stream.codec_context) is None:
            raise BadInput(FIELD, "its video is in a format that cannot be decoded")
        return stream
    raise BadInput(FIELD, "it holds sound but no picture" if container.streams.audio else "it holds no video")


def _guard(stream: VideoStream, limits: Limits) -> None:
    context = stream.codec_context
    if not context.width or not context.height:
        # Whatever kept the prober from a first look: it has no better words for it.
        most = limits.max_pixels / 1e6
        raise BadInput(FIELD, f"damaged, cut off, or larger than {most:g} million pixels, the most accepted")
    if context.width * context.height > limits.max_pixels:
        raise BadInput(FIELD, _too_large(context.width, context.height, limits))
    check_decoder(context.codec.name, PICTURES, FIELD)
    context.options = {"max_pixels": str(limits.max_pixels)}
    context.thread_count = DECODER_THREADS


def _too_large(width: int, height: int, limits: Limits) -> str:
    return f"{width} x {height} pixels; at most {limits.max_pixels / 1e6:g} million are accepted"


def _check_index(stream: VideoStream, file_size: int) -> None:
    entries = stream.index_entries
    for number in range(len(entries)):
        entry = entries[number]
        if entry.pos + entry.size > file_size:
            raise BadInput(FIELD, f"cut off: the file ends in frame {number + 1} of {len(entries)}")


def _times(container: InputContainer, stream: VideoStream, max_seconds: float) -> list[int]:
    """Presentation times of the packets within the part that is used, ascending, in units of the stream."""
    unit = stream.time_base or Fraction(1)
    reach = int(Fraction(max_seconds) / unit)
    times: list[int] = []
    try:
        for packet in container.demux(stream):
            time = packet.pts if packet.pts is not None else packet.dts
            if time is None or not packet.size:
                continue
            times.append(time)
            # Frames are reordered within a second at most.
            if time - times[0] > reach + int(1 / unit):
                break
    except FFmpegError:
        pass  # the decoder will meet it too, and count it
    times.sort()
    return [time for time in times if time - times[0] < reach]


def _time(frame: VideoFrame) -> Fraction:
    return Fraction(frame.pts or 0) * (frame.time_base or Fraction(0))


def _pulled(graph: Graph) -> Iterator[VideoFrame]:
    while True:
        try:
            yield cast("VideoFrame", graph.pull())
        except (NeedsMore, NoMore):
            return
