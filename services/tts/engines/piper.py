"""Voices of piper: VITS networks (Kim, Kong and Son 2021) as ONNX files, each with a description beside it.

A network takes symbols of the IPA as numbers and gives sound. Which number a symbol has, which voice of
espeak-ng writes the symbols, the rate of the sound and the manner of speaking are in the description.
"""

from __future__ import annotations

import json
import re
import threading
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mouthpiece.errors import MouthpieceError, Reason, Unmet
from services.tts import espeak
from services.tts.engine import Cancelled, EngineFailed, EngineVoice, Rendition, Speaker
from services.tts.espeak import Cancelled as CalledOff

_PAD, _BEGIN, _END = "_", "^", "$"
_MARKS = re.compile(r"([,;:.!?…]+)(?=\s|$)")
"""Punctuation that a voice hears; a point within a number is none."""
_LANGUAGE_SWITCH = re.compile(r"\([^)]*\)")
_MOST_SYMBOLS = 4_000


@dataclass(frozen=True, slots=True)
class _Description:
    """What is said of a network: see the module's text. ``manner`` is noise, length and noise of lengths."""

    rate: int
    espeak_voice: str
    language: str
    numbers: Mapping[str, Sequence[int]]
    manner: tuple[float, float, float]
    speakers: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class _Voice:
    session: Any
    description: _Description
    version: str


class PiperEngine:
    """The voices of a file or a folder."""

    name = "piper"
    clones = False
    inflects = False

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._voices: dict[str, _Voice] = {}
        self._lock = threading.Lock()

    def load(self) -> None:
        """Read the networks. Raises `Unmet` when there is none, or one cannot be read."""
        if self._path is None or not self._path.exists():
            raise Unmet(
                Reason.WEIGHTS_MISSING, f"no piper voice at {self._path}: set MOUTHPIECE_TTS_PIPER_VOICES"
            )
        files = sorted(self._path.glob("*.onnx")) if self._path.is_dir() else [self._path]
        self._voices = {file.name.removesuffix(".onnx"): _read(file) for file in files}
        if not self._voices:
            raise Unmet(Reason.WEIGHTS_MISSING, f"no file *.onnx in {self._path}")

    def voices(self) -> Sequence[EngineVoice]:
        """Each network, and each of its speakers where it has several."""
        return tuple(
            EngineVoice(name if not who else f"{name}#{who}", voice.description.language, _line(voice, who))
            for name, voice in self._voices.items()
            for who in ("", *voice.description.speakers)
        )

    def version(self, voice: str) -> str:
        """By the content of the network and its description."""
        return self._voices[voice.partition("#")[0]].version

    def speak(self, text: str, speaker: Speaker, cancelled: Cancelled) -> Rendition:
        """Say one sentence."""
        name, _, who = speaker.voice.partition("#")
        voice = self._voices[name]
        inputs = _inputs(voice.description, text, speaker.rate, who)
        if cancelled():
            raise CalledOff
        wanted = {one.name for one in voice.session.get_inputs()}
        try:
            with self._lock:  # one network at a time: each uses all cores that it may
                sound = voice.session.run(None, {k: v for k, v in inputs.items() if k in wanted})[0]
        except _runtime_errors() as error:
            raise EngineFailed(f"the network failed: {error}") from None
        return Rendition(np.asarray(sound, np.float32).reshape(-1), voice.description.rate)


def _line(voice: _Voice, who: str) -> str:
    return f"neural voice, {who}" if who else f"neural voice, {voice.description.rate} Hz"


# Reading ---------------------------------------------------------------------------------------------------


def _runtime_errors() -> tuple[type[BaseException], ...]:
    capi: Any = import_module("onnxruntime.capi.onnxruntime_pybind11_state")
    return (capi.Fail, capi.InvalidArgument, capi.InvalidGraph, capi.InvalidProtobuf, capi.RuntimeException)


def _unreadable() -> tuple[type[BaseException], ...]:
    """What reading a voice raises when its files are not what they should be."""
    return (*_runtime_errors(), OSError, ValueError, KeyError, TypeError)


def _read(file: Path) -> _Voice:
    import onnxruntime

    beside = file.with_name(file.name + ".json")
    try:
        words = beside.read_text(encoding="utf-8")
        description = _described(json.loads(words))
        digest = sha256(file.read_bytes() + words.encode()).hexdigest()
        session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    except _unreadable() as error:
        raise Unmet(Reason.WEIGHTS_MISSING, f"the piper voice {file.name} cannot be read: {error}") from None
    return _Voice(session, description, f"piper-{digest[:16]}")


def _described(found: Mapping[str, Any]) -> _Description:
    manner = found.get("inference", {})
    espeak_voice = str(found["espeak"]["voice"])
    code = str(found.get("language", {}).get("code") or espeak_voice)
    return _Description(
        rate=int(found["audio"]["sample_rate"]),
        espeak_voice=espeak_voice,
        language=code.replace("_", "-"),
        numbers={
            str(symbol): [int(number) for number in numbers]
            for symbol, numbers in found["phoneme_id_map"].items()
        },
        manner=(
            float(manner.get("noise_scale", 0.667)),
            float(manner.get("length_scale", 1.0)),
            float(manner.get("noise_w", 0.8)),
        ),
        speakers=dict(found.get("speaker_id_map", {})) if int(found.get("num_speakers", 1)) > 1 else {},
    )


# Text as numbers -------------------------------------------------------------------------------------------


def _inputs(voice: _Description, text: str, rate: float, who: str) -> dict[str, npt.NDArray[Any]]:
    """What a network takes; ``sid`` only where there are several speakers."""
    numbers = [
        number for symbol in _framed(_symbols(voice, text)) for number in voice.numbers.get(symbol, ())
    ]
    if len(numbers) > _MOST_SYMBOLS:
        raise EngineFailed(f"a sentence of {len(numbers)} symbols")
    noise, length, noise_of_lengths = voice.manner
    return {
        "input": np.array([numbers], np.int64),
        "input_lengths": np.array([len(numbers)], np.int64),
        "scales": np.array([noise, length / rate, noise_of_lengths], np.float32),
        "sid": np.array([voice.speakers.get(who, 0)], np.int64),
    }


def _framed(symbols: Iterator[str]) -> Iterator[str]:
    """Symbols with a pad after each, between begin and end."""
    yield from (_BEGIN, _PAD)
    for symbol in symbols:
        yield from (symbol, _PAD)
    yield _END


def _symbols(voice: _Description, text: str) -> Iterator[str]:
    """The code points of what is said, decomposed, with the punctuation between."""
    parts = _MARKS.split(text)
    for index, part in enumerate(parts):
        if index % 2:
            yield part[0]
        elif part.strip():
            yield from " " if index else ""
            yield from _ipa(part.strip(), voice.espeak_voice)


def _ipa(text: str, espeak_voice: str) -> str:
    try:
        said = espeak.to_ipa(text, espeak_voice)
    except MouthpieceError as error:
        raise EngineFailed(error.message) from None
    return unicodedata.normalize("NFD", _LANGUAGE_SWITCH.sub("", said))
