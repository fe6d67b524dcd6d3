"""The contract between the speech service and its engines.

An engine turns one sentence into sound. It knows nothing of gRPC, jobs, pauses or loudness. Engines that know
when each sound begins say so; for the others the times are found by aligning their sound with its text.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from mouthpiece.core.speech import Phoneme
from services.tts.articulation import TimedWord

Sound = npt.NDArray[np.float32]
"""Mono samples; full scale is ±1, which an engine may exceed."""

Cancelled = Callable[[], bool]
"""Tells whether to give up; an engine that does raises `services.tts.espeak.Cancelled`."""


class EngineFailed(Exception):
    """An engine could not speak. The message says why; another engine may do better."""


@dataclass(frozen=True, slots=True)
class Reference:
    """A voice to speak in: a recording of it at `REFERENCE_RATE`, named by what it was made of."""

    name: str
    sound: Sound


REFERENCE_RATE = 24_000


@dataclass(frozen=True, slots=True)
class Speaker:
    """A voice of an engine by the engine's own name, how fast it speaks, and whom it is to sound like.

    ``rate`` is 1 for the voice's own speed. ``reference`` is set for engines that clone only.
    """

    voice: str
    rate: float = 1.0
    reference: Reference | None = None


@dataclass(frozen=True, slots=True)
class Times:
    """What sounds when in a rendition, on the 48 kHz grid: phonemes fill it, pauses have no symbol."""

    phonemes: tuple[Phoneme, ...]
    words: tuple[TimedWord, ...]


@dataclass(frozen=True, slots=True)
class Rendition:
    """A sentence as an engine says it: samples at ``rate`` per second, and times when they are known."""

    sound: Sound
    rate: int
    times: Times | None = None


@dataclass(frozen=True, slots=True)
class EngineVoice:
    """A voice that an engine adds to those that can be named.

    ``language`` is a BCP 47 tag, empty when it speaks any. A voice that ``needs_reference`` says nothing
    without one.
    """

    name: str
    language: str
    description: str
    needs_reference: bool = False


class SpeechEngine(Protocol):
    """One way of speaking. Calls come from several threads at a time."""

    @property
    def name(self) -> str:
        """Its name in settings and reports."""
        ...

    @property
    def clones(self) -> bool:
        """Whether it speaks in the voice of a reference by itself."""
        ...

    @property
    def inflects(self) -> bool:
        """Whether it follows changes of rate, pitch and emphasis within a sentence; other engines never see
        them."""
        ...

    def load(self) -> None:
        """Read what it needs. Raises `Unmet` (WEIGHTS_MISSING) when that is not there."""
        ...

    def voices(self) -> Sequence[EngineVoice]:
        """The voices that can be named, without those of the embedded engine's table."""
        ...

    def version(self, voice: str) -> str:
        """Changes whenever the same call would sound differently."""
        ...

    def speak(self, text: str, speaker: Speaker, cancelled: Cancelled) -> Rendition:
        """Say one sentence. Raises `EngineFailed`."""
        ...
