"""Voices cloned in this process by Pocket TTS (Kyutai 2026), run from ONNX files by sherpa-onnx.

A language model over the latents of a codec hears the reference, then the text, and goes on. Its files have
the names of the archives for sherpa-onnx, plain or quantised: `lm_main.onnx` or `lm_main.int8.onnx`.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Sequence
from hashlib import file_digest, sha256
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import soxr

from mouthpiece.core.timeline import SPEECH_RATE
from mouthpiece.errors import Reason, Unmet
from mouthpiece.text.phonemes import as_written
from services.tts.engine import (
    REFERENCE_RATE,
    Cancelled,
    EngineFailed,
    EngineVoice,
    Rendition,
    Sound,
    Speaker,
)
from services.tts.espeak import Cancelled as CalledOff
from services.tts.filtering import at_tempo

_NETWORKS = ("lm_flow", "lm_main", "encoder", "decoder", "text_conditioner")
_TABLES = ("vocab", "token_scores")
_SUFFIXES = (".int8.onnx", ".onnx")
_STEPS = 2
"""Steps of the flow for each latent; what the publishers use."""
_MANNER = {"seed": "1", "max_reference_audio_len": "20", "max_frames": "500"}
"""The same sentence is to sound the same; of the reference 20 s are heard; speech lasts 40 s at most."""


class PocketEngine:
    """One model, which says one sentence at a time."""

    name = "pocket"
    clones = True
    inflects = False

    def __init__(self, folder: Path | None, threads: int = 2) -> None:
        self._folder = folder
        self._threads = threads
        self._model: Any = None
        self._library: Any = None
        self._version = ""
        self._lock = threading.Lock()

    def load(self) -> None:
        """Read the model. Raises `Unmet` when sherpa-onnx or a file is missing, or one cannot be read."""
        if self._folder is None or not self._folder.is_dir():
            where = f"no model of Pocket TTS at {self._folder}: set MOUTHPIECE_TTS_POCKET_MODEL"
            raise Unmet(Reason.WEIGHTS_MISSING, where)
        try:
            self._library = import_module("sherpa_onnx")
        except ImportError:
            raise Unmet(Reason.WEIGHTS_MISSING, "sherpa-onnx is not installed: mouthpiece[pocket]") from None
        files = _files(self._folder)
        for name in _TABLES:
            _check_table(files[name])
        self._model = self._read(files)
        self._version = f"pocket-{_digest(files.values())}"

    def _read(self, files: dict[str, Path]) -> Any:
        library = self._library
        paths = {name: str(files[name]) for name in _NETWORKS}
        tables = {f"{name}_json": str(files[name]) for name in _TABLES}
        model = library.OfflineTtsModelConfig(
            pocket=library.OfflineTtsPocketModelConfig(**paths, **tables), num_threads=self._threads
        )
        try:
            return library.OfflineTts(library.OfflineTtsConfig(model=model))
        except (RuntimeError, ValueError) as error:
            raise Unmet(
                Reason.WEIGHTS_MISSING, f"Pocket TTS in {self._folder} cannot be read: {error}"
            ) from None

    def voices(self) -> Sequence[EngineVoice]:
        """The one voice that speaks like its reference."""
        return (EngineVoice("pocket", "en", "the voice of a reference, cloned", needs_reference=True),)

    def version(self, voice: str) -> str:  # noqa: ARG002 - the same for every voice
        """By the content of its files."""
        return self._version

    def speak(self, text: str, speaker: Speaker, cancelled: Cancelled) -> Rendition:
        """Say one sentence like the reference."""
        if speaker.reference is None:
            raise EngineFailed("there is no reference to speak like")
        if cancelled():
            raise CalledOff
        config = self._library.GenerationConfig()
        config.reference_audio = speaker.reference.sound
        config.reference_sample_rate = REFERENCE_RATE
        config.num_steps = _STEPS
        config.silence_scale = 1.0
        config.extra = _MANNER
        said = self._said(" ".join(as_written(text).split()), config, cancelled)
        return Rendition(at_tempo(said, speaker.rate), SPEECH_RATE)

    def _said(self, text: str, config: Any, cancelled: Cancelled) -> Sound:
        """A text at 48 kHz."""

        def goes_on(samples: Any, share: float) -> int:  # noqa: ARG001 - what the library passes
            return int(not cancelled())

        try:
            with self._lock:  # it uses all threads that it may
                audio = self._model.generate(text, config, goes_on)
        except RuntimeError as error:
            raise EngineFailed(f"the model failed: {error}") from None
        if cancelled():
            raise CalledOff
        if not len(audio.samples):
            raise EngineFailed("the model said nothing")
        sound = np.asarray(audio.samples, np.float32)
        return np.asarray(soxr.resample(sound, audio.sample_rate, SPEECH_RATE, quality="HQ"), np.float32)


# Files -----------------------------------------------------------------------------------------------------


def _files(folder: Path) -> dict[str, Path]:
    """Each part of the model. Raises `Unmet` with the names of those that are not there."""
    wanted = {name: [folder / f"{name}{suffix}" for suffix in _SUFFIXES] for name in _NETWORKS}
    wanted |= {name: [folder / f"{name}.json"] for name in _TABLES}
    found = {name: next((path for path in paths if path.is_file()), None) for name, paths in wanted.items()}
    missing = [wanted[name][-1].name for name, path in found.items() if path is None]
    if missing:
        raise Unmet(Reason.WEIGHTS_MISSING, f"{folder} lacks {', '.join(missing)}")
    return {name: path for name, path in found.items() if path is not None}


def _check_table(file: Path) -> None:
    """Raise `Unmet` for a table that is none: the library would end this process."""
    try:
        table = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise Unmet(Reason.WEIGHTS_MISSING, f"{file.name} cannot be read: {error}") from None
    numbers = table.values() if isinstance(table, dict) else [None]
    if not table or not all(isinstance(number, int | float) for number in numbers):
        raise Unmet(Reason.WEIGHTS_MISSING, f"{file.name} is no table of numbers")


def _digest(files: Iterable[Path]) -> str:
    content = sha256()
    for path in files:
        with path.open("rb") as file:
            content.update(file_digest(file, "sha256").digest())
    return content.hexdigest()[:16]
