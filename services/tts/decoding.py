"""Recordings as mono sound at 48 kHz: decoded in blocks, so that memory does not grow with their length."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import av
import numpy as np
import numpy.typing as npt
import soxr
from av.error import FFmpegError

from mouthpiece.core.timeline import SPEECH_RATE
from mouthpiece.errors import BadInput
from mouthpiece.media.decoders import SOUND, check_decoder, whitelist
from services.tts.riff import missing_bytes

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame
    from av.audio.stream import AudioStream
    from av.container.input import InputContainer
    from av.packet import Packet

Sound = npt.NDArray[np.float32]
"""Mono samples; full scale is ±1, which recordings of floats may exceed."""

FIELD = "audio"

# What recordings come in. Playlists and scripts, which make the demuxer open other files, are not among them.
_CONTAINERS = (
    "aac,ac3,aiff,amr,ape,asf,au,avi,caf,flac,flv,matroska,mov,mp3,mpeg,mpegts,ogg,rm,tta,voc,w64,wav,wv"
)
_READABLE = whitelist(SOUND)

_EXACT_LENGTH = frozenset(("wav", "w64", "aiff", "au", "caf", "flac", "mov", "matroska", "mp3"))
"""Containers that state how long the sound is, instead of having it guessed from the size of the file."""

_TOLERANCE = Fraction(1, 4)
"""Seconds that may be missing: encoders count their own delay in or not."""

_CANCELLED = 1e-3
"""Share of their power that channels keep when they are mixed, below which they are each other's opposite."""

_BLOCK = SPEECH_RATE

_LOWEST_RATE, _HIGHEST_RATE = 2_000, 768_000

_LONGEST_PADDING = 4096
"""Samples by which the last frame of a codec may go on after the end."""


def decode(path: Path, limit_seconds: float) -> Iterator[Sound]:
    """Yield the sound of an audio file, or of a video, as mono blocks at 48 000 Hz.

    Together the blocks are as long as the recording, rounded to a sample.

    Raises:
        BadInput: (field ``audio``) not audio, cut off, damaged, longer than ``limit_seconds``, or with
            samples that are not finite numbers. All but the first two are found on the way.
    """
    if missing_bytes(path):
        raise BadInput(FIELD, "cut off: the file is shorter than it says")
    with _opened(path) as (container, stream):
        rate = stream.sample_rate
        declared = _declared(container, stream, path)
        if declared is not None and declared > limit_seconds + 1:
            raise _too_long(limit_seconds)
        blocks = _Source(container, stream, declared).blocks()
        if declared is not None and "mov" in container.format.name:
            blocks = _without_padding(blocks, round(declared * rate))
        yield from _limited(_at_speech_rate(blocks, rate), limit_seconds)


def _too_long(limit_seconds: float) -> BadInput:
    return BadInput(FIELD, f"longer than {limit_seconds:g} seconds, the most that is accepted")


@contextmanager
def _opened(path: Path) -> Generator[tuple[InputContainer, AudioStream]]:
    options = {"format_whitelist": _CONTAINERS, "protocol_whitelist": "file", "codec_whitelist": _READABLE}
    try:
        container = av.open(str(path), options=options)
    except (FFmpegError, ValueError):
        raise BadInput(FIELD, "not an audio file, or damaged or cut off at its start") from None
    with container:
        if not container.streams.audio:
            raise BadInput(FIELD, "there is no sound in this file")
        stream = container.streams.audio[0]
        check_decoder(stream.codec_context.codec.name, SOUND, FIELD)
        if not stream.codec_context.sample_rate or not stream.codec_context.channels:
            raise BadInput(FIELD, "damaged or cut off: its sound cannot be decoded")
        if not _LOWEST_RATE <= stream.codec_context.sample_rate <= _HIGHEST_RATE:
            raise BadInput(FIELD, f"{stream.codec_context.sample_rate} samples per second are no recording")
        yield container, stream


def _declared(container: InputContainer, stream: AudioStream, path: Path) -> Fraction | None:
    """Seconds of sound that the file states; ``None`` when it states nothing that can be relied on."""
    names = container.format.name.split(",")
    if _EXACT_LENGTH.isdisjoint(names) or ("mp3" in names and not _has_mp3_length(path)):
        return None
    if stream.duration is not None and stream.time_base is not None:
        return stream.duration * stream.time_base
    return Fraction(container.duration, av.time_base) if container.duration else None


def _has_mp3_length(path: Path) -> bool:
    with path.open("rb") as file:
        head = file.read(1 << 20)  # behind an ID3 tag, which may hold a picture
    return any(tag in head for tag in (b"Xing", b"Info", b"VBRI"))


class _Source:
    """The decoder's side: mono blocks at the rate of the file."""

    def __init__(self, container: InputContainer, stream: AudioStream, declared: Fraction | None) -> None:
        self._container = container
        self._stream = stream
        self._declared = declared
        self._decoded = 0
        self._broken_at_end = False
        mixes_itself = stream.codec_context.channels > 2  # its layout says which of them hold the voice
        self._to_float = av.AudioResampler(format="fltp", layout="mono" if mixes_itself else None)
        self._power = np.zeros(2)  # of the channels, and of what they are mixed to

    def blocks(self) -> Iterator[Sound]:
        """Decode to the end, in blocks of about a second."""
        held: list[Sound] = []
        count = 0
        for plane in self._planes():
            held.append(plane)
            count += plane.shape[1]
            if count >= _BLOCK:
                yield self._mixed(held)
                held, count = [], 0
        if held:
            yield self._mixed(held)
        self._check_whole()

    def _mixed(self, planes: list[Sound]) -> Sound:
        """Planes of shape (channels, samples), one after the other, as mono."""
        sound = np.concatenate(planes, axis=1)
        if not np.isfinite(sound).all():
            raise BadInput(FIELD, "damaged: it has samples that are not finite numbers")
        mono = np.asarray(sound.mean(axis=0), np.float32)
        self._power += np.square(sound).mean(axis=0).sum(), np.square(mono).sum()
        return mono

    def _planes(self) -> Iterator[Sound]:
        for packet in self._packets():
            try:
                frames = packet.decode()
            except FFmpegError:
                self._broken_at_end = True
                continue
            for frame in frames:
                self._broken_at_end = False
                self._decoded += frame.samples
                yield from self._as_floats(frame)

    def _packets(self) -> Iterator[Packet[AudioStream]]:
        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets, None)
            except FFmpegError:
                self._broken_at_end = True
                return
            if packet is None:
                return
            yield packet

    def _as_floats(self, frame: AudioFrame) -> Iterator[Sound]:
        try:
            for part in self._to_float.resample(frame):
                yield np.asarray(part.to_ndarray(), np.float32)
        except (FFmpegError, ValueError):
            raise BadInput(FIELD, "its format changes on the way") from None

    def _check_whole(self) -> None:
        if not self._decoded:
            raise BadInput(FIELD, "there is no sound in this file")
        if self._declared is None:
            cut_off = self._broken_at_end
        else:
            cut_off = self._declared - Fraction(self._decoded, self._stream.sample_rate) > _TOLERANCE
        if cut_off:
            raise BadInput(FIELD, "cut off or damaged: part of its sound is missing")
        if self._power[1] < _CANCELLED * self._power[0]:
            raise BadInput(FIELD, "its channels are opposite and cancel each other out: give one of them")


def _without_padding(blocks: Iterable[Sound], wanted: int) -> Iterator[Sound]:
    """The blocks less what the last codec frame holds beyond ``wanted`` samples."""
    held = np.zeros(0, np.float32)
    seen = 0
    for block in blocks:
        seen += len(block)
        held = np.concatenate((held, block))
        if len(held) > 2 * _LONGEST_PADDING:
            yield held[:-_LONGEST_PADDING]
            held = held[-_LONGEST_PADDING:]
    surplus = seen - wanted
    yield held[: len(held) - surplus] if 0 < surplus <= min(_LONGEST_PADDING, len(held)) else held


def _at_speech_rate(blocks: Iterable[Sound], rate: int) -> Iterator[Sound]:
    """Resample to 48 000 Hz, to exactly the same length in time, rounded to a sample."""
    if rate == SPEECH_RATE:
        yield from blocks
        return
    converter = soxr.ResampleStream(rate, SPEECH_RATE, 1, dtype="float32", quality="HQ")
    taken = given = 0
    for block in blocks:
        taken += len(block)
        converted = converter.resample_chunk(block)
        given += len(converted)
        yield converted
    rest = converter.resample_chunk(np.zeros(0, np.float32), last=True)
    wanted = round(Fraction(taken * SPEECH_RATE, rate)) - given
    yield np.pad(rest, (0, max(0, wanted - len(rest))))[: max(0, wanted)]


def _limited(blocks: Iterable[Sound], limit_seconds: float) -> Iterator[Sound]:
    total = 0
    for block in blocks:
        total += len(block)
        if total > limit_seconds * SPEECH_RATE:
            raise _too_long(limit_seconds)
        yield block
