"""Reading finished files: what they declare, and what they decode to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, cast

import av
import numpy as np
import numpy.typing as npt

from mouthpiece.media.boxes import boxes

if TYPE_CHECKING:
    from av.container.input import InputContainer
    from av.video.stream import VideoStream

Frame = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class VideoTrack:
    """What a file declares about its video; times in seconds, exact.

    ``configuration`` is the decoder configuration record (avcC for H.264). The colour numbers are those of
    ITU-T H.273; 1, 1, 1 is BT.709. ``limited_range`` tells whether black is 16 (true) or 0.
    """

    codec: str
    profile: str
    width: int
    height: int
    pixel_format: str
    fps: Fraction
    frames: int
    start: Fraction
    duration: Fraction
    reorder_frames: int
    color: tuple[int, int, int]
    limited_range: bool
    configuration: bytes

    @property
    def codec_sha256(self) -> str:
        """SHA-256 of the decoder configuration: equal for chunks that can share a track."""
        return sha256(self.configuration).hexdigest()


@dataclass(frozen=True, slots=True)
class AudioTrack:
    """What a file declares about its sound; times in seconds, exact."""

    codec: str
    sample_rate: int
    channels: int
    start: Fraction
    duration: Fraction
    language: str | None


@dataclass(frozen=True, slots=True)
class Movie:
    """A file as declared by its headers."""

    video: VideoTrack | None
    audio: AudioTrack | None
    metadata: dict[str, str]


def read_movie(path: Path) -> Movie:
    """Read the headers of a media file. Raises `av.error.FFmpegError` when it is none, or damaged."""
    with av.open(str(path)) as container:
        video = container.streams.video
        audio = container.streams.audio
        return Movie(
            video_track(video[0]) if video else None,
            _audio_track(container) if audio else None,
            dict(container.metadata),
        )


def read_chunk(path: Path) -> VideoTrack:
    """Read the headers of an encoded chunk. Raises `ValueError` when there is no video in the file."""
    with av.open(str(path)) as container:
        if not container.streams.video:
            raise ValueError(f"{path.name} holds no video")
        return video_track(container.streams.video[0])


def video_track(stream: VideoStream) -> VideoTrack:
    """Describe an open video stream; MP4 is assumed, where the number of frames is in the headers."""
    context = stream.codec_context
    time_base = stream.time_base or Fraction(0)
    return VideoTrack(
        codec=context.codec.canonical_name,
        profile=context.profile or "",
        width=context.width,
        height=context.height,
        pixel_format=context.pix_fmt or "",
        fps=stream.average_rate or Fraction(0),
        frames=stream.frames,
        start=(stream.start_time or 0) * time_base,
        duration=(stream.duration or 0) * time_base,
        reorder_frames=context.reorder_depth,
        color=(int(context.color_primaries), int(context.color_trc), int(context.colorspace)),
        limited_range=context.color_range == _LIMITED,
        configuration=context.extradata or b"",
    )


def _audio_track(container: InputContainer) -> AudioTrack:
    stream = container.streams.audio[0]
    time_base = stream.time_base or Fraction(0)
    return AudioTrack(
        codec=stream.codec_context.codec.canonical_name,
        sample_rate=stream.codec_context.sample_rate,
        channels=stream.codec_context.channels,
        start=(stream.start_time or 0) * time_base,
        duration=(stream.duration or 0) * time_base,
        language=stream.language,
    )


_LIMITED = 1


def decode_frames(path: Path) -> Iterator[Frame]:
    """Decode the video of a 4:2:0 file, frame by frame, as I420: uint8 of shape (height * 3 // 2, width)."""
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            yield cast("Frame", frame.to_ndarray())


def frame_times(path: Path) -> list[Fraction]:
    """Times in seconds at which the frames of a file are shown, in order of display."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        time_base = stream.time_base or Fraction(0)
        return sorted(packet.pts * time_base for packet in container.demux(stream) if packet.pts is not None)


def decode_audio(path: Path) -> npt.NDArray[np.float32]:
    """Decode the sound of a file from time 0 to its declared end.

    Returns float32 of shape (channels, samples); full scale is 1.
    """
    resampler = av.AudioResampler(format="fltp")
    with av.open(str(path)) as container:
        track = _audio_track(container)
        parts = [out.to_ndarray() for frame in container.decode(audio=0) for out in resampler.resample(frame)]
    samples = np.concatenate(parts, axis=1)[:, : round(track.duration * track.sample_rate)]
    return cast("npt.NDArray[np.float32]", samples)


def index_comes_first(path: Path) -> bool:
    """Whether an MP4 can start to play before all of it has arrived: `moov` stands before `mdat`."""
    with path.open("rb") as file:
        kinds = [box.kind for box in boxes(file)]
    return b"moov" in kinds and b"mdat" in kinds and kinds.index(b"moov") < kinds.index(b"mdat")
