"""Sound for tests: speech of espeak-ng with its truth, and audio files of every kind."""

from __future__ import annotations

import struct
import wave
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

import av
import numpy as np
import numpy.typing as npt
import soxr

from mouthpiece.core.speech import Phoneme, Sentence
from mouthpiece.core.timeline import SPEECH_RATE, Span
from mouthpiece.text.sentences import split_sentences
from services.tts import articulation
from services.tts.engine import Rendition
from services.tts.espeak import RATE, Manner, speak
from services.tts.synthesis import to_speech_rate
from services.tts.tone import warmed

if TYPE_CHECKING:
    from av.audio.stream import AudioStream

Sound = npt.NDArray[np.float32]


def samples_of(sentence: Sentence) -> npt.NDArray[np.int64]:
    """A sentence's PCM as integers that do not overflow."""
    return np.frombuffer(sentence.pcm, "<i2").astype(np.int64)


def tone(seconds: float, rate: int = SPEECH_RATE, hertz: float = 220, level: float = 0.3) -> Sound:
    """A sine; full scale is ±1."""
    time = np.arange(round(seconds * rate)) / rate
    return (level * np.sin(2 * np.pi * hertz * time)).astype(np.float32)


def to_rate(sound: Sound, rate: int, wanted: int) -> Sound:
    """The same sound at another rate."""
    return np.asarray(soxr.resample(sound, rate, wanted), np.float32)


def silence(seconds: float, rate: int = SPEECH_RATE) -> Sound:
    """Nothing."""
    return np.zeros(round(seconds * rate), np.float32)


def write_wav(path: Path, sound: Sound, rate: int = SPEECH_RATE, channels: int = 1) -> Path:
    """16-bit WAVE file with the same sound in each channel."""
    pcm = np.clip(np.rint(sound * 32768), -32768, 32767).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(np.repeat(pcm, channels).tobytes())
    return path


def write_float_wav(path: Path, sound: Sound, rate: int = SPEECH_RATE) -> Path:
    """WAVE file of 32-bit floats, which may hold anything."""
    data = sound.astype("<f4").tobytes()
    form = struct.pack("<HHIIHH", 3, 1, rate, 4 * rate, 4, 32)
    chunks = b"".join(
        name + struct.pack("<I", len(body)) + body for name, body in ((b"fmt ", form), (b"data", data))
    )
    body = b"WAVE" + chunks
    path.write_bytes(b"RIFF" + struct.pack("<I", len(body)) + body)
    return path


def encode(path: Path, codec: str, sound: Sound, rate: int, channels: int = 2, picture: bool = False) -> Path:
    """A file in the container that the name asks for; with ``picture`` a video of the same length."""
    layout = "stereo" if channels == 2 else "mono"
    options = {"movflags": "+faststart"} if path.suffix in (".mp4", ".m4a") else {}
    with av.open(str(path), "w", options=options) as container:
        video = container.add_stream("libx264", rate=10, width=64, height=64) if picture else None
        stream = cast("AudioStream", container.add_stream(codec, rate=rate, layout=layout))
        frame = av.AudioFrame.from_ndarray(np.tile(sound, (channels, 1)), format="fltp", layout=layout)
        frame.sample_rate, frame.pts = rate, 0
        wanted = av.AudioResampler(format=stream.codec_context.format, layout=layout, rate=rate)
        for part in wanted.resample(frame):
            container.mux(stream.encode(part))
        container.mux(stream.encode(None))
        if video is not None:
            for _ in range(round(len(sound) / rate * 10)):
                container.mux(video.encode(av.VideoFrame(64, 64, "yuv420p")))
            container.mux(video.encode(None))
    return path


@dataclass(frozen=True)
class Spoken:
    """Speech at 48 kHz and when its sounds really begin."""

    sound: Sound
    phonemes: tuple[Phoneme, ...]

    def bilabials(self) -> list[int]:
        """Samples at which lips close."""
        return bilabials(self.phonemes)


def bilabials(phonemes: tuple[Phoneme, ...]) -> list[int]:
    """Samples at which p, b and m begin."""
    return [
        part.samples.first for part in phonemes if part.ipa.strip("ˈˌ")[:1] in ("p", "b", "m") and part.ipa
    ]


def speak_aloud(text: str, file: str, manner: Manner | None = None, pause: float = 0.4) -> Spoken:
    """A text in any voice and manner, with ``pause`` seconds of silence after each sentence."""
    sounds: list[Sound] = []
    phonemes: list[Phoneme] = []
    at = 0
    for piece in split_sentences(text):
        utterance = speak(piece.text, file, manner)
        sound = to_speech_rate(Rendition(warmed(utterance.pcm.astype(np.float32) / np.float32(32768)), RATE))
        phonemes += [
            replace(part, samples=part.samples.shift(at)) for part in articulation.phonemes(utterance)
        ]
        rest = silence(pause)
        phonemes.append(Phoneme("", Span(at + len(sound), at + len(sound) + len(rest))))
        sounds += [sound, rest]
        at += len(sound) + len(rest)
    return Spoken(np.concatenate(sounds), tuple(phonemes))
