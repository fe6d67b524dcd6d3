"""A movie that grows: one copied track of pictures, one AAC track, then the finished MP4."""

from __future__ import annotations

import os
from contextlib import ExitStack, suppress
from fractions import Fraction
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryFile
from time import perf_counter
from types import TracebackType
from typing import TYPE_CHECKING, Self, cast

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.error import FFmpegError
from av.packet import Packet

from mouthpiece.core.speech import BYTES_PER_SAMPLE
from mouthpiece.core.timeline import SPEECH_RATE, Span
from mouthpiece.media.captions import Cue
from mouthpiece.media.fragmented import CaptionTrack, caption_track, timed_text, write_fragmented
from mouthpiece.media.fragments import FragmentWriter, copied_stream
from mouthpiece.media.mp4 import move_index_first

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import BinaryIO

    from av.container.output import OutputContainer
    from av.subtitles.stream import SubtitleStream
    from av.video.stream import VideoStream

_BUFFER = 1 << 20
_CONTAINER_OPTIONS = {
    # Edit lists, which hide the encoder's delay, are counted in this unit: with the default of 1/1000 s the
    # tracks would end up to 1 ms late.
    "movie_timescale": str(SPEECH_RATE),
}
_AAC_BITS_PER_SECOND = 128_000
_AAC_OPTIONS = {
    # Follows the waveform more closely than the slower default: 38 dB against 32 dB on speech at this rate.
    "aac_coder": "fast",
}


class PcmSpool:
    """Speech that waits on disk, in an unnamed file of a folder: first in, first out."""

    def __init__(self, folder: Path) -> None:
        self._file = TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115 - __exit__ closes it
        self._taken = 0
        self.samples = 0
        """Samples that were ever appended."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def append(self, pcm: bytes) -> None:
        """Add 16-bit mono samples."""
        view = memoryview(pcm)
        position = BYTES_PER_SAMPLE * self.samples
        while view:
            written = os.pwrite(self._file.fileno(), view, position)
            position += written
            view = view[written:]
        self.samples += len(pcm) // BYTES_PER_SAMPLE

    def take(self, samples: int) -> bytes:
        """Remove and return that many samples, or what is left."""
        pcm = os.pread(self._file.fileno(), BYTES_PER_SAMPLE * samples, BYTES_PER_SAMPLE * self._taken)
        self._taken += len(pcm) // BYTES_PER_SAMPLE
        return pcm


class FragmentSpool:
    """Fragments that wait on disk, in an unnamed file of a folder, and what they show."""

    def __init__(self, folder: Path) -> None:
        self._file = TemporaryFile(dir=folder)  # noqa: SIM115 - close closes it
        self._sizes: list[int] = []
        self.spans: list[Span] = []
        """Frames of each."""

    def close(self) -> None:
        """Drop them."""
        self._file.close()

    def append(self, frames: Span, fragment: bytes) -> None:
        """Add what comes next."""
        self._file.write(fragment)
        self._sizes.append(len(fragment))
        self.spans.append(frames)

    def __iter__(self) -> Iterator[bytes]:
        self._file.seek(0)
        for size in self._sizes:
            yield self._file.read(size)


class MovieWriter:
    """Muxes pictures and speech into an unnamed file of a folder, and makes an MP4 of it in the end.

    The same packets make fragments meanwhile: what was written since the last `cut` is held in memory.
    Pictures and speech are to be written side by side: what is ahead is held in memory. ``template`` gives
    codec, size and colour; ``reorder`` is how many frames the decoder holds back to bring them into order.
    With ``captions``, there is a track of timed text, which fragments do not have. With ``fragmented``, the
    finished MP4 consists of the fragments, to which captions are added then.
    """

    def __init__(
        self,
        folder: Path,
        template: VideoStream,
        fps: Fraction,
        reorder: int,
        language: str,
        *,
        captions: bool = False,
        fragmented: bool = False,
    ) -> None:
        with ExitStack() as stack:
            # Buffered: an unbuffered file may take a part of what it is given, and the muxer would not know.
            self._file = stack.enter_context(TemporaryFile(dir=folder))
            self._container = av.open(
                self._file, "w", format="mp4", options=_CONTAINER_OPTIONS, buffer_size=_BUFFER
            )
            stack.callback(self._abandon)
            self._video = copied_stream(self._container, template)
            self._speech = self._container.add_stream("aac", rate=SPEECH_RATE, options=dict(_AAC_OPTIONS))
            self._captions = _add_captions(self._container, language) if captions else None
            self._spool = FragmentSpool(folder) if fragmented else None
            if self._spool:
                stack.callback(self._spool.close)
            self._resources = stack.pop_all()
        self._speech.codec_context.layout = "mono"
        self._speech.codec_context.bit_rate = _AAC_BITS_PER_SECOND
        self._speech.metadata["language"] = language
        self._fragments = FragmentWriter(self._video, self._speech)
        self._cues: list[Cue] = []
        self._language = language
        self._frame_time = 1 / fps
        self._reorder = reorder
        self._frames = 0
        self._samples = 0
        self._seconds = 0.0

    @property
    def frames(self) -> int:
        """Frames written so far."""
        return self._frames

    @property
    def samples(self) -> int:
        """Samples written so far."""
        return self._samples

    @property
    def encode_seconds(self) -> float:
        """Wall time spent on encoding speech."""
        return self._seconds

    def write_picture(self, packet: Packet[VideoStream], frame: int) -> None:
        """Copy the packet that comes next in decoding order; it shows ``frame``.

        Raises `ValueError` when the frame would be shown before it is decoded.
        """
        packet.pts = frame
        packet.dts = self._frames - self._reorder
        if packet.pts < packet.dts:
            raise ValueError(f"frame {frame} comes too late in decoding order")
        packet.duration = 1
        packet.time_base = self._frame_time
        packet.stream = self._video
        self._container.mux_one(packet)
        self._fragments.add_picture(packet)
        self._frames += 1

    def write_speech(self, pcm: bytes) -> None:
        """Encode the next samples, 16-bit mono."""
        samples = np.frombuffer(pcm, np.int16)[np.newaxis]
        frame = AudioFrame.from_ndarray(samples, format="s16", layout="mono")
        frame.sample_rate = SPEECH_RATE
        frame.pts = self._samples
        frame.time_base = Fraction(1, SPEECH_RATE)
        self._encode(frame)
        self._samples += samples.size

    def end_speech(self) -> None:
        """Write what the encoder still holds: no more speech comes."""
        self._encode(None)

    def write_caption(self, cue: Cue) -> None:
        """Add a caption after those before it; there must be a track for it."""
        assert self._captions is not None
        if self._spool is not None:
            self._cues.append(cue)
            return
        packet = Packet(timed_text(cue.text))
        packet.stream = self._captions
        packet.time_base = Fraction(1, SPEECH_RATE)
        packet.pts = packet.dts = cue.samples.first
        packet.duration = len(cue.samples)
        self._container.mux_one(packet)

    @property
    def init(self) -> bytes:
        """What goes in front of the fragments; there after the first `cut`."""
        return self._fragments.init

    def cut(self) -> bytes:
        """What was written since the last cut, as a fragment of fragmented MP4.

        It is to begin with a keyframe and to end before one. Speech that the encoder still holds comes with
        the next fragment.
        """
        fragment = self._fragments.cut()
        if self._spool is not None:
            shown = self._spool.spans[-1].end if self._spool.spans else 0
            self._spool.append(Span(shown, self._frames), fragment)
        return fragment

    def finish(self, output: Path, tags: Mapping[str, str]) -> None:
        """Make ``output`` of what was written, its index in front. Nothing stays when this fails."""
        self._container.close()
        try:
            with output.open("wb") as target:
                if self._spool is None:
                    move_index_first(cast("BinaryIO", self._file), target, tags)
                else:
                    self._write_fragments(target, self._spool, tags)
        except BaseException:
            output.unlink(missing_ok=True)
            raise

    def _write_fragments(self, target: BinaryIO, spool: FragmentSpool, tags: Mapping[str, str]) -> None:
        captions = (_empty_caption_track(self._language), self._cues) if self._captions else None
        fps, tick = 1 / self._frame_time, self._video.time_base or Fraction(0)
        write_fragmented(target, self.init, spool.spans, spool, fps, tick, tags, captions)

    def close(self) -> None:
        """Drop what was written, unless it was finished. May be called twice."""
        self._resources.close()

    def _encode(self, frame: AudioFrame | None) -> None:
        start = perf_counter()
        packets = self._speech.encode(frame)
        self._seconds += perf_counter() - start
        self._container.mux(packets)
        self._fragments.add_sound(packets)

    def _abandon(self) -> None:
        with suppress(FFmpegError, OSError):  # what it cannot write any more is not wanted any more
            self._container.close()


_TEXT_STYLE = """[Script Info]
PlayResX: 384
PlayResY: 288

[V4+ Styles]
Format: Name, Fontname, Fontsize, PrimaryColour, BackColour, Bold, Italic, Underline, Alignment
Style: Default,sans-serif,16,&Hffffff,&H0,0,0,0,2

[Events]
Format: Layer, Start, End, Style, Text
"""
"""What the encoder makes the track's sample description of: white letters at the bottom."""


def _add_captions(container: OutputContainer, language: str) -> SubtitleStream:
    stream = container.add_stream("mov_text")
    stream.codec_context.subtitle_header = _TEXT_STYLE.encode()
    stream.codec_context.time_base = Fraction(1, SPEECH_RATE)
    stream.codec_context.open()  # makes the description, which goes into the header of the file
    stream.metadata["language"] = language
    return stream


def _empty_caption_track(language: str) -> CaptionTrack:
    whole = BytesIO()
    options = {**_CONTAINER_OPTIONS, "movflags": "empty_moov"}
    with av.open(whole, "w", format="mp4", options=options) as container:
        _add_captions(container, language)
        container.start_encoding()
    return caption_track(whole.getvalue())
