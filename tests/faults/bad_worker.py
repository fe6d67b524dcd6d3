"""`python -m tests.faults.bad_worker`: a lip-sync worker that misbehaves as a file says.

MOUTHPIECE_TEST_VICE names the file; while it is missing, the worker is a good one.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

from mouthpiece.artifacts import Artifact
from mouthpiece.errors import MouthpieceError
from mouthpiece.settings import CommonSettings, LipSyncSettings
from mouthpiece.v1.lipsync_pb2 import ChunkResult
from services.lipsync import servicer
from services.lipsync.__main__ import main
from services.lipsync.avatar import Avatar
from services.lipsync.engine import Engine, Frame, RenderTask
from services.lipsync.engines.timed import TimedEngine
from services.lipsync.wire import result_to_proto
from services.lipsync.worker import Outcome

VARIABLE = "MOUTHPIECE_TEST_VICE"
SLOW = "is ten times slower"
SLOWNESS = 10


def _invents(outcome: Outcome) -> Outcome:
    name = hashlib.sha256(outcome.artifact.sha256.encode()).hexdigest()
    return replace(outcome, artifact=replace(outcome.artifact, sha256=name))


def _damages(outcome: Outcome) -> Outcome:
    path = _path(outcome.artifact.sha256)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.unlink()
    path.write_bytes(content)
    return outcome


def _blabbers(outcome: Outcome) -> Outcome:
    noise = b"This is not a movie. " * 500
    artifact = Artifact(hashlib.sha256(noise).hexdigest(), len(noise))
    path = _path(artifact.sha256)
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(noise)
    return replace(outcome, artifact=artifact)


def _fails(outcome: Outcome) -> Outcome:
    raise MouthpieceError("the picture caught fire")


VICES: dict[str, Callable[[Outcome], Outcome]] = {
    "names an artifact that nobody has": _invents,
    "stores damaged artifacts": _damages,
    "stores something that is no chunk": _blabbers,
    "always fails": _fails,
}


def _path(sha256: str) -> Path:
    return Path(CommonSettings.read().artifacts_url) / sha256[:2] / sha256


class MoodyEngine(TimedEngine):
    """The timed engine, slower whenever `slow` says so."""

    def __init__(self, frames_per_second: float, slow: Callable[[], bool]) -> None:
        super().__init__(frames_per_second)
        self._slow = slow
        self._slower = TimedEngine(frames_per_second / SLOWNESS)

    def render(self, prepared: Avatar, task: RenderTask) -> Iterator[Frame]:
        return self._slower.render(prepared, task) if self._slow() else super().render(prepared, task)


def corrupt(vice: Path) -> None:
    """Make the worker do what the file says."""

    def today() -> str:
        return vice.read_text(encoding="utf-8") if vice.exists() else ""

    def tell_badly(outcome: Outcome) -> ChunkResult:
        return result_to_proto(VICES[today()](outcome) if today() in VICES else outcome)

    def create_moody(_name: str, settings: LipSyncSettings) -> Engine[Any]:
        return MoodyEngine(settings.timed_frames_per_second, lambda: today() == SLOW)

    patch.object(servicer, "result_to_proto", tell_badly).start()
    patch.object(servicer, "create_engine", create_moody).start()


if __name__ == "__main__":
    corrupt(Path(os.environ[VARIABLE]))
    main()
