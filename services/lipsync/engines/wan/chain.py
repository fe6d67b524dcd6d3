"""A chain of clips: what was made, what the next clip goes on from, and handing both on without loss."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from mouthpiece.errors import DataLoss, MouthpieceError
from services.lipsync.engines.wan.clips import CLIP, LOST

_SENSELESS = (
    *(OSError, ValueError, LookupError, TypeError, EOFError, MemoryError, BadZipFile, zlib.error),
    NotImplementedError,
)
"""What numpy and zipfile raise for bytes that make no sense."""

Pictures = npt.NDArray[np.uint8]
"""uint8 of shape (pictures, height, width, 3), RGB."""


@dataclass(frozen=True, slots=True)
class Clip:
    """What a maker makes: `CLIP` pictures, `LOST` less in the first of a chain.

    `motion` is whatever the maker wants back for the next clip, in full precision.
    """

    pictures: Pictures
    motion: npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class ClipOrder:
    """One clip to make.

    `portrait` is uint8 RGB of the clip's size. `speech` is int16 at 16 kHz: whole clips, of which number
    `place` is wanted, and perhaps a part of one more. `motion` is None for the first clip of a chain.
    """

    number: int
    portrait: Pictures
    speech: npt.NDArray[np.int16]
    place: int
    prompt: str
    seed: int
    motion: npt.NDArray[Any] | None


class ClipMaker(Protocol):
    """What runs the model."""

    @property
    def name(self) -> str:
        """Names all that shapes its clips, weights included."""
        ...

    @property
    def ailment(self) -> str:
        """What keeps it from making clips, "" when nothing does."""
        ...

    def load(self) -> None:
        """Get ready. Raises `Unmet`."""
        ...

    def close(self) -> None:
        """End what is being made soon."""
        ...

    def make(self, order: ClipOrder, called_off: Callable[[], bool], /) -> Clip:
        """Make a clip; the same order gives the same clip."""
        ...


class Chain:
    """Pictures of a chain, counted from its origin, as far as they are made and still needed."""

    def __init__(self, origin: int) -> None:
        self.origin = origin
        """Picture of the job's time grid at which the chain begins."""
        self.clips = 0
        """Clips made so far."""
        self.motion: npt.NDArray[Any] | None = None
        self._first = 0
        self._pictures: Pictures | None = None

    @property
    def end(self) -> int:
        """Pictures made so far."""
        return self.clips * CLIP

    def add(self, clip: Clip) -> None:
        """The next clip is made. Raises `MouthpieceError` when it has a wrong number of pictures."""
        lost = LOST if self.clips == 0 else 0
        if len(clip.pictures) != CLIP - lost:
            raise MouthpieceError(f"clip {self.clips} has {len(clip.pictures)} pictures, not {CLIP - lost}")
        made = np.concatenate([clip.pictures[:1].repeat(lost, 0), clip.pictures])
        self._pictures = made if self._pictures is None else np.concatenate([self._pictures, made])
        self.motion = clip.motion
        self.clips += 1

    def at(self, picture: int) -> Pictures:
        """A picture by its number from the origin: (height, width, 3). It must be made and not dropped."""
        assert self._pictures is not None
        assert self._first <= picture < self.end
        found: Pictures = self._pictures[picture - self._first]
        return found

    def drop_before(self, picture: int) -> None:
        """Pictures before this one are not needed any more."""
        surplus = min(picture, self.end) - self._first
        if self._pictures is not None and surplus > 0:
            self._pictures = self._pictures[surplus:].copy()
            self._first += surplus

    def save(self, path: Path) -> None:
        """Write what the next chunk needs. Nothing is rounded."""
        assert self._pictures is not None
        assert self.motion is not None
        place = np.array([self.origin, self.clips, self._first])
        with path.open("wb") as file:
            np.savez(file, place=place, pictures=self._pictures, motion=self.motion)

    @classmethod
    def load(cls, path: Path) -> Chain:
        """Go on from what `save` wrote. Raises `DataLoss` when it is something else."""
        try:
            with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
                origin, clips, first = (int(value) for value in file["place"])
                chain = cls(origin)
                chain.clips, chain._first = clips, first
                chain._pictures, chain.motion = file["pictures"], file["motion"]
        except _SENSELESS:
            raise DataLoss("what the chunk before handed over cannot be read") from None
        return chain
