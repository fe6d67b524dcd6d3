"""Rendered chunks, which are not taken on trust: a worker or a disk may have spoiled them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

from mouthpiece.artifacts import ArtifactStore
from mouthpiece.core.timeline import Span
from mouthpiece.errors import DataLoss, NotFound
from mouthpiece.media.boxes import count_frames, keyframes
from services.gateway.records import Rendered


class Chunks:
    """Looks at the artifacts of chunks before a job relies on them."""

    def __init__(self, artifacts: ArtifactStore) -> None:
        self._artifacts = artifacts

    async def check(self, rendered: Rendered) -> list[int]:
        """Raise `DataLoss` unless a chunk is there, is what its name says, and holds its frames.

        Returns the frames of the artifact, counted from its own first, at which decoding may begin. A damaged
        artifact is removed: while it is there, nobody can store the right one under its name.
        """
        name = rendered.chunk.sha256
        try:
            async with self._artifacts.local(name) as path:
                frames, keys = await asyncio.to_thread(_look_into, path)
        except (NotFound, FileNotFoundError):
            raise DataLoss(f"there is no artifact {name}") from None
        except DataLoss:
            await self._artifacts.delete(name)
            raise
        if frames != rendered.frames_stored:
            raise DataLoss(f"artifact {name} has {frames} frames, not {rendered.frames_stored}")
        return keys

    async def holds(self, rendered: Rendered) -> bool:
        """Whether a chunk is still there, in its full size."""
        try:
            return await self._artifacts.find(rendered.chunk.sha256) == rendered.chunk
        except NotFound:
            return False

    async def stored(self, sha256: str) -> bool:
        """Whether an artifact is there."""
        return await self._artifacts.has(sha256)

    async def intact(self, sha256: str) -> bool:
        """Whether an artifact is there and is what its name says; a damaged one is removed."""
        try:
            async with self._artifacts.local(sha256):
                return True
        except (NotFound, FileNotFoundError):
            return False
        except DataLoss:
            await self._artifacts.delete(sha256)
            return False


def _look_into(path: Path) -> tuple[int, list[int]]:
    """Frames of a chunk's file, 0 when it is none, and which of them are keyframes."""
    try:
        with path.open("rb") as file:
            frames, keys = count_frames(file), keyframes(file)
    except ValueError:
        return 0, []
    grows = all(before < after for before, after in pairwise([-1, *keys, frames]))
    return (frames, keys) if grows and keys[0] == 0 else (0, [])


def pieces(chunk: Rendered, keyframes_: Sequence[int]) -> Iterator[Rendered]:
    """A whole chunk as the shortest stretches that can be shown without the rest: its groups of pictures.

    Each still lacks the digest of its speech.
    """
    ends = [*keyframes_[1:], len(chunk.frames)]
    for first, end in zip(keyframes_, ends, strict=True):
        frames = Span(first, end).shift(chunk.frames.first)
        yield replace(chunk, frames=frames, speech="", skip=first, rest=len(chunk.frames) - end)


def joined(parts: Iterable[Rendered]) -> list[Rendered]:
    """Pieces in order, those that follow each other in one artifact as one."""
    found: list[Rendered] = []
    for part in parts:
        last = found[-1] if found else None
        if (
            last
            and last.chunk == part.chunk
            and (last.frames.end, last.rest) == (part.frames.first, part.rest + len(part.frames))
        ):
            found[-1] = replace(last, frames=Span(last.frames.first, part.frames.end), rest=part.rest)
        else:
            found.append(part)
    return found
