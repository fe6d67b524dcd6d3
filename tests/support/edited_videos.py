"""Little videos of one face that says versions of a text."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

from mouthpiece.client import Client, VideoOptions
from mouthpiece.media.probe import decode_frames
from mouthpiece.v1 import gateway_pb2 as pb

SENTENCES = (
    "Small boats leave early.",
    "They return.",
    "On the quay a woman sells coffee and bread.",
    "Everybody knows her name.",
)
EDITED = (SENTENCES[0], "They return with the tide.", *SENTENCES[2:])
"""The second sentence is another one, and longer."""


def hashes(path: Path) -> list[str]:
    """A hash of every frame."""
    return [hashlib.sha256(frame.tobytes()).hexdigest() for frame in decode_frames(path)]


@dataclass(frozen=True)
class Versions:
    """Makes videos of an avatar with options of their engine, named files of one folder."""

    client: Client
    folder: Path
    avatar: Path
    options: VideoOptions

    async def make(
        self, name: str, sentences: tuple[str, ...], edit: str = "", *, anew: bool = False
    ) -> pb.Job:
        """The job that made a version, which is an edit of another one, or of none."""
        options = replace(self.options, edit=edit, ignore_cache=anew)
        return await self.client.generate(
            self.path(name), text=" ".join(sentences), avatar=self.avatar, options=options
        )

    def path(self, name: str) -> Path:
        """The file of a version."""
        return self.folder / f"{name}.mp4"


def cached(job: pb.Job) -> int:
    """Frames that a job did not have rendered."""
    return job.result.statistics.cached_frames


def newly_spoken(job: pb.Job) -> int:
    """Sentences that a job had spoken."""
    return job.result.statistics.sentences - job.result.statistics.cached_sentences
