"""Joining chunks and speech into one movie: pictures are copied, the speech is encoded once."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import av
from av.error import FFmpegError

from mouthpiece.core.speech import BYTES_PER_SAMPLE
from mouthpiece.core.timeline import Span, frame_count, sample_at
from mouthpiece.errors import BadInput, is_full_disk
from mouthpiece.media.captions import Cue
from mouthpiece.media.crossfade import write_fade
from mouthpiece.media.language import iso_639_2
from mouthpiece.media.movie import MovieWriter, PcmSpool
from mouthpiece.media.probe import VideoTrack, video_track
from mouthpiece.media.quality import SEGMENT_SECONDS, Codec, Quality
from mouthpiece.media.tags import COMMENT, PROVENANCE, TITLE, TOOL

if TYPE_CHECKING:
    from av.container.input import InputContainer
    from av.packet import Packet
    from av.video.stream import VideoStream

SYNTHETIC_MARK = "AI-generated synthetic media: the face in this video was animated by a computer."
"""Comment in the metadata of every result."""

_SPEECH_BLOCK = 9600
"""Samples by which the pictures run ahead before speech is written: 0.2 s."""


@dataclass(frozen=True, slots=True)
class MergeFormat:
    """What every chunk must have: frames per second, width and height in pixels."""

    fps: Fraction
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class _Chunk:
    """A chunk that waits for the speech that is heard with it."""

    frames: Span
    path: Path
    skip: int
    rest: int

    @property
    def frames_stored(self) -> int:
        """All frames of the file."""
        return self.skip + len(self.frames) + self.rest


@dataclass(frozen=True, slots=True)
class MovieSegment:
    """A stretch of the movie: its number from 0 on, its frames, and its fragment (`moof` and `mdat`)."""

    index: int
    frames: Span
    path: Path


class Merger:
    """Writes an MP4 from chunks and speech, each in order, in whatever interleaving they arrive.

    Frame n is shown at exactly n / fps, sample m is heard at m / 48 000 s. A chunk is copied as soon as the
    speech that is heard with it has arrived; until `finish` or `close` its file must stay. What waits is on
    disk, in unnamed files next to ``output``: memory does not grow with the speech, but for the index of the
    movie (about 100 bytes per packet).

    Copied chunks also become segments, files next to ``output``, as soon as speech beyond them has arrived.
    Where segments begin and what is in them depends on chunks and speech alone, not on when they came.

    With ``fading``, the quality of what is encoded again, chunks may be blended into each other; each is then
    held back until the next one is there.

    With ``fragmented``, the movie consists of the segments, with captions and tables of their places.

    Used as a context manager. Unless `finish` returned, leaving it leaves no ``output``. Methods block, and
    one runs at a time. `BadInput` names the field of the merger's requests that is wrong; the merge is then
    beyond repair.
    """

    def __init__(
        self,
        output: Path,
        form: MergeFormat,
        *,
        title: str = "",
        language: str = "",
        fading: Quality | None = None,
        captions: bool = False,
        fragmented: bool = False,
    ) -> None:
        self._output = output
        self._fragmented = fragmented
        self._fading = fading
        self._form = form
        self._title = title
        self._language = iso_639_2(language)
        self._captions: list[Cue] | None = [] if captions else None
        self._resources = ExitStack()
        self._speech = self._resources.enter_context(PcmSpool(output.parent))
        self._movie: MovieWriter | None = None
        self._first: VideoTrack | None = None
        self._frames = 0
        self._waiting: deque[_Chunk] = deque()
        self._cut_at = 0
        self._segment_frames = ceil(SEGMENT_SECONDS * form.fps)
        self._segments: list[MovieSegment] = []
        self._taken = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Drop what is not finished, and segments that nobody took. May be called twice."""
        self._resources.close()
        for segment in self.take_segments():
            segment.path.unlink()

    @property
    def frames_written(self) -> int:
        """Frames copied so far."""
        return self._movie.frames if self._movie else 0

    @property
    def samples_written(self) -> int:
        """Samples encoded so far."""
        return self._movie.samples if self._movie else 0

    @property
    def encode_seconds(self) -> float:
        """Wall time spent on encoding speech; the rest is copying."""
        return self._movie.encode_seconds if self._movie else 0.0

    @property
    def init(self) -> bytes:
        """`ftyp` and `moov`, which go in front of the segments; there with the first of them."""
        return self._movie.init if self._movie else b""

    def take_segments(self) -> list[MovieSegment]:
        """The segments since the last call. Their files are the caller's."""
        taken, self._taken = self._segments[self._taken :], len(self._segments)
        return taken

    def add_chunk(self, frames: Span, path: Path, skip: int = 0, rest: int = 0, fade: int = 0) -> None:
        """Take the chunk that shows ``frames``, which begin where those of the chunk before ended.

        In the file, ``skip`` frames before them and ``rest`` after them are left out; both cuts are in front
        of keyframes. The last ``fade`` of the former are blended with as many at the end of the chunk before.
        """
        _check_next(frames, self._frames, "chunk.frames")
        if fade:
            self._blend(path, skip, fade)
        self._frames = frames.end
        self._waiting.append(_Chunk(frames, path, skip, rest))
        self._copy_heard()

    def _blend(self, path: Path, skip: int, fade: int) -> None:
        """Replace the last frames of the chunk before by a fade into the frames in front of a chunk."""
        last = self._waiting.pop() if self._waiting and self._fading is not None else None
        if last is None or self._fading is None or not 0 < fade <= min(skip, len(last.frames)):
            raise BadInput("chunk.fade_frames", f"there are no {fade} frames on both sides")
        form, cut = self._form, last.frames.end - fade
        kept = last.skip + len(last.frames) - fade
        faded = self._output.with_name(f"fade-{cut}.mp4")
        self._resources.callback(faded.unlink, missing_ok=True)
        sides = (last.path, Span(kept, kept + fade)), (path, Span(skip - fade, skip))
        write_fade(faded, *sides, (form.fps, form.width, form.height), self._fading, _codec_of(path))
        if cut > last.frames.first:
            left = Span(last.frames.first, cut)
            self._waiting.append(_Chunk(left, last.path, last.skip, last.rest + fade))
        self._waiting.append(_Chunk(Span(cut, last.frames.end), faded, 0, 0))

    def add_speech(self, samples: Span, pcm: bytes) -> None:
        """Take the speech at ``samples``, which begin where those before ended; 16-bit mono."""
        _check_next(samples, self._speech.samples, "speech.samples")
        if len(pcm) != BYTES_PER_SAMPLE * len(samples):
            raise BadInput("speech.pcm", f"{len(pcm)} bytes for {len(samples)} samples of 16 bits")
        self._speech.append(pcm)
        self._copy_heard()

    def add_caption(self, cue: Cue) -> None:
        """Take a caption, which begins after the one before has ended; they are written last."""
        if self._captions is None:
            raise BadInput("caption", "the header announced none")
        shown = self._captions[-1].samples.end if self._captions else 0
        if cue.samples.first < shown or not cue.samples:
            raise BadInput("caption.samples", f"is empty, or begins before {shown}")
        self._captions.append(cue)

    @property
    def captions(self) -> Sequence[Cue]:
        """The captions so far."""
        return self._captions or ()

    def finish(self, frames: int, samples: int, provenance: str = "") -> None:
        """Check the totals, write the rest, and make ``output``: index first, marked as synthetic media.

        ``provenance`` is a JSON document, or empty.
        """
        self._check_totals(frames, samples)
        tags = _tags(self._title, provenance)
        for chunk in self._waiting:
            self._copy(chunk)
            self._cut_ended()
        movie = self._movie
        assert movie is not None  # the totals are right, so there was a chunk
        self._hear(movie, samples)
        movie.end_speech()
        self._cut(movie)
        for cue in self.captions:
            movie.write_caption(cue)
        movie.finish(self._output, tags)
        self._resources.close()

    def _start(self, template: VideoStream, track: VideoTrack) -> MovieWriter:
        movie = MovieWriter(
            self._output.parent,
            template,
            self._form.fps,
            track.reorder_frames,
            self._language,
            captions=self._captions is not None,
            fragmented=self._fragmented,
        )
        self._resources.callback(movie.close)
        self._movie, self._first = movie, track
        return movie

    def _check_chunk(self, track: VideoTrack, chunk: _Chunk) -> None:
        form, frames = self._form, chunk.frames
        if track.codec not in list(Codec):
            wrong = f"codec is {track.codec}, not one of {', '.join(Codec)}"
            raise BadInput("chunk.chunk", f"{_named(frames)}: {wrong}")
        for name, found, wanted in (
            ("pixel format", track.pixel_format, "yuv420p"),
            ("width", track.width, form.width),
            ("height", track.height, form.height),
            ("frame rate", track.fps, form.fps),
            ("number of frames", track.frames, chunk.frames_stored),
        ):
            if found != wanted:
                raise BadInput("chunk.chunk", f"{_named(frames)}: {name} is {found}, not {wanted}")
        if self._first and track.configuration != self._first.configuration:
            raise BadInput("chunk.chunk", f"{_named(frames)}: decoder configuration differs from the first's")

    def _check_totals(self, frames: int, samples: int) -> None:
        if frames != self._frames or not frames:
            raise BadInput("end.frames", f"{frames} announced, {self._frames} received")
        if samples != self._speech.samples:
            raise BadInput("end.samples", f"{samples} announced, {self._speech.samples} received")
        due = frame_count(samples, self._form.fps)
        if frames != due:
            raise BadInput("end.frames", f"{frames}, but {samples} samples last {due} frames")

    def _copy_heard(self) -> None:
        """Copy the chunks whose speech is there."""
        self._cut_ended()
        while len(self._waiting) > (self._fading is not None):
            if sample_at(self._waiting[0].frames.end, self._form.fps) > self._speech.samples:
                return
            self._copy(self._waiting.popleft())
            self._cut_ended()

    def _cut_ended(self) -> None:
        """End the segment with the chunk that was copied, unless it may be the last.

        The last segment also holds the end of the sound, and is left to `finish`.
        """
        movie, fps = self._movie, self._form.fps
        if movie and self._cut_at < movie.frames < frame_count(self._speech.samples, fps):
            self._hear(movie, sample_at(movie.frames, fps))
            self._cut(movie)

    def _copy(self, chunk: _Chunk) -> None:
        fps = self._form.fps
        with _readable(chunk.path) as (container, stream):
            track = video_track(stream)
            self._check_chunk(track, chunk)
            movie = self._movie or self._start(stream, track)
            for index, packet in _packets(container, stream, chunk, fps):
                heard = sample_at(movie.frames, fps)
                frame = chunk.frames.first + index
                if packet.is_keyframe and frame == movie.frames >= self._cut_at + self._segment_frames:
                    self._hear(movie, heard)
                    self._cut(movie)
                if heard >= movie.samples + _SPEECH_BLOCK:
                    self._hear(movie, heard)
                movie.write_picture(packet, frame)

    def _hear(self, movie: MovieWriter, samples: int) -> None:
        """Write the speech up to a sample."""
        if movie.samples < samples:
            movie.write_speech(self._speech.take(samples - movie.samples))

    def _cut(self, movie: MovieWriter) -> None:
        """End the segment here."""
        index = len(self._segments)
        path = self._output.with_name(f"segment-{index}.m4s")
        path.write_bytes(movie.cut())
        self._segments.append(MovieSegment(index, Span(self._cut_at, movie.frames), path))
        self._cut_at = movie.frames


def _codec_of(path: Path) -> Codec:
    with _readable(path) as (_, stream):
        return Codec(stream.codec_context.codec.canonical_name)


def _check_next(span: Span, begin: int, field: str) -> None:
    if span.first != begin:
        raise BadInput(field, f"begins at {span.first}, but {begin} comes next")
    if not span:
        raise BadInput(field, f"[{span.first}, {span.end}) is empty")


def _named(frames: Span) -> str:
    return f"frames [{frames.first}, {frames.end})"


@contextmanager
def _readable(path: Path) -> Generator[tuple[InputContainer, VideoStream]]:
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise BadInput("chunk.chunk", "holds no video")
            yield container, container.streams.video[0]
    except FFmpegError as error:
        if is_full_disk(error):
            raise
        raise BadInput("chunk.chunk", f"not a usable MP4: {error.strerror}") from error


def _packets(
    container: InputContainer, stream: VideoStream, chunk: _Chunk, fps: Fraction
) -> Iterator[tuple[int, Packet[VideoStream]]]:
    """The chunk's packets in decoding order, each with the index in the chunk of the frame that it shows."""
    grid = (stream.time_base or Fraction(0)) * fps
    frames, cuts = chunk.frames, (chunk.skip, chunk.skip + len(chunk.frames))
    shown = bytearray(chunk.frames_stored)
    for packet in container.demux(stream):
        if not packet.size:  # the end of the file
            continue
        index, off = divmod((packet.pts or 0) * grid.numerator, grid.denominator)
        if off or not 0 <= index < len(shown) or shown[index]:
            raise BadInput("chunk.chunk", f"{_named(frames)}: a frame is off the frame grid")
        if index in cuts and not packet.is_keyframe:
            raise BadInput("chunk.chunk", f"{_named(frames)}: is not cut in front of a keyframe")
        shown[index] = 1
        if cuts[0] <= index < cuts[1]:
            yield index - chunk.skip, packet
    if not all(shown):
        raise BadInput("chunk.chunk", f"{_named(frames)}: frames are missing")


def _tags(title: str, provenance: str) -> dict[str, str]:
    tags = {TOOL: "Mouthpiece", COMMENT: SYNTHETIC_MARK}
    if title:
        tags[TITLE] = title
    if provenance:
        try:
            json.loads(provenance)
        except ValueError as error:
            raise BadInput("end.provenance_json", f"not JSON: {error}") from None
        tags[PROVENANCE] = provenance
    return tags
