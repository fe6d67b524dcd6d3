"""The two files of a task: the avatar from where the chunk begins, and the chunk's speech."""

from __future__ import annotations

import wave
from collections.abc import Iterable, Iterator
from fractions import Fraction
from math import floor
from pathlib import Path
from typing import TYPE_CHECKING

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.video.frame import VideoFrame

from mouthpiece.core.speech import BYTES_PER_SAMPLE, SpeechSlice
from mouthpiece.core.timeline import Span, clip_index, samples_of
from services.lipsync.avatar import Avatar
from services.lipsync.avatar.color import I420
from services.lipsync.engines.speech16 import RATE, speech_16k

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container.output import OutputContainer
    from av.video.stream import VideoStream

_SPARE_SECONDS = 1
"""The clip is longer than the speech by so much: containers round, and would begin again at its frame 0."""
_PORTRAIT_SECONDS = 2
_AUDIO_BLOCK = 1024


def clip_frames(avatar: Avatar, frames: Span) -> Iterator[int]:
    """Frames of the avatar under a chunk and a little longer, as it plays on from `frames.first`."""
    spare = round(_SPARE_SECONDS * avatar.fps)
    if avatar.frames == 1:
        frames = Span(0, round(_PORTRAIT_SECONDS * avatar.fps) - spare)
    return (clip_index(number, avatar.frames) for number in range(frames.first, frames.end + spare))


def write_clip(path: Path, avatar: Avatar, frames: Iterable[int]) -> None:
    """Write frames of an avatar as H.264 4:2:0 with a silent sound track, as the container wants it."""
    pictures = [(index, avatar.frame_i420(index)) for index in frames]
    with av.open(str(path), "w", format="mp4") as container:
        video = _video_stream(container, avatar)
        audio = container.add_stream("aac", rate=RATE, layout="mono")
        for number, (_, planes) in enumerate(pictures):
            container.mux(video.encode(_picture(planes, number, avatar.fps)))
        container.mux(video.encode(None))
        _write_silence(container, audio, floor(len(pictures) * RATE / avatar.fps))


def _video_stream(container: OutputContainer, avatar: Avatar) -> VideoStream:
    options = {"crf": "12", "preset": "veryfast"}
    stream = container.add_stream("libx264", rate=avatar.fps, options=options)
    context = stream.codec_context
    context.height, context.width = avatar.height, avatar.width
    context.pix_fmt = "yuv420p"
    context.time_base = 1 / avatar.fps
    context.thread_count = 1
    context.colorspace = context.color_primaries = context.color_trc = 1
    context.color_range = 1
    return stream


def _picture(planes: I420, number: int, fps: Fraction) -> VideoFrame:
    picture = VideoFrame.from_ndarray(np.ascontiguousarray(planes), format="yuv420p")
    picture.pts, picture.time_base = number, 1 / fps
    return picture


def _write_silence(container: OutputContainer, stream: AudioStream, samples: int) -> None:
    for first in range(0, samples, _AUDIO_BLOCK):
        count = min(_AUDIO_BLOCK, samples - first)
        frame = AudioFrame.from_ndarray(np.zeros((1, count), np.float32), format="fltp", layout="mono")
        frame.rate, frame.pts, frame.time_base = RATE, first, Fraction(1, RATE)
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


def chunk_speech(speech: SpeechSlice, frames: Span, fps: Fraction) -> bytes:
    """The speech of a chunk as 16 kHz 16-bit mono PCM, exactly round(frames · 16 000 / fps) samples.

    Silence stands for what the slice does not cover.
    """
    count = floor(len(frames) * RATE / fps + Fraction(1, 2))
    return speech_16k(speech, samples_of(frames, fps).first, count).astype("<i2").tobytes()


def write_speech(path: Path, pcm: bytes) -> None:
    """Write 16 kHz 16-bit mono PCM as WAV."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(BYTES_PER_SAMPLE)
        file.setframerate(RATE)
        file.writeframes(pcm)
