"""What an engine declares about itself."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class EngineClass(Enum):
    """How an engine treats chunks of one job."""

    WINDOWED = "windowed"
    """A frame depends on its index and a bounded window of the speech: chunking is exact."""
    REMOTE = "remote"
    """Another program renders; the avatar clip is rotated for each chunk."""
    CHAINED = "chained"
    """A chunk needs the end of the one before it."""


@dataclass(frozen=True, slots=True)
class Weights:
    """The file of a model, by name and SHA-256; the latter is empty when only the name is known."""

    name: str
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """Capabilities of an engine, as data.

    ``version`` names code revision and weights, and so is part of every cache key. ``lead_samples`` and
    ``tail_samples`` of speech (48 kHz) are needed around a chunk. ``max_chunk_frames`` and
    ``max_chunk_seconds``, the time that rendering one may take, are 0 for no limit. ``weights`` are the
    models that its frames depend on.
    """

    name: str
    description: str
    engine_class: EngineClass
    version: str
    lead_samples: int
    tail_samples: int
    max_chunk_frames: int = 0
    takes_portrait: bool = True
    takes_video: bool = True
    max_chunk_seconds: float = 0.0
    takes_prompt: bool = False
    weights: tuple[Weights, ...] = ()
