"""Rendered chunks, which are not taken on trust: a worker or a disk may have spoiled them."""

from __future__ import annotations

import asyncio
from pathlib import Path

from mouthpiece.artifacts import ArtifactStore
from mouthpiece.errors import DataLoss, NotFound
from mouthpiece.media.boxes import count_frames
from services.gateway.store import Rendered


class Chunks:
    """Looks at the artifacts of chunks before a job relies on them."""

    def __init__(self, artifacts: ArtifactStore) -> None:
        self._artifacts = artifacts

    async def check(self, rendered: Rendered) -> None:
        """Raise `DataLoss` unless a chunk is there, is what its name says, and holds its frames.

        A damaged artifact is removed: while it is there, nobody can store the right one under its name.
        """
        name = rendered.chunk.sha256
        try:
            async with self._artifacts.local(name) as path:
                frames = await asyncio.to_thread(_frames_in, path)
        except (NotFound, FileNotFoundError):
            raise DataLoss(f"there is no artifact {name}") from None
        except DataLoss:
            await self._artifacts.delete(name)
            raise
        if frames != len(rendered.frames):
            raise DataLoss(f"artifact {name} has {frames} frames, not {len(rendered.frames)}")

    async def holds(self, rendered: Rendered) -> bool:
        """Whether a chunk is still there, in its full size."""
        try:
            return await self._artifacts.find(rendered.chunk.sha256) == rendered.chunk
        except NotFound:
            return False


def _frames_in(path: Path) -> int:
    """Frames of a chunk's file, 0 when it is none."""
    try:
        with path.open("rb") as file:
            return count_frames(file)
    except ValueError:
        return 0
