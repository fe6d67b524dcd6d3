"""The folder that worker and container share: what goes in, what comes out, and what is known of tasks.

The container sees it under a path of its own, writes results into `temp` or `result`, and names them without
that part. What is ours lies in `mouthpiece`, or in `temp` when bare names are to be sent.
"""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from tempfile import mkstemp

from services.lipsync.engines.heygem.protocol import Answer, Code, Stage

log = logging.getLogger(__name__)

CLIPS = 32
"""Avatar clips that are kept, the most recently used ones."""
STALE_SECONDS = 86_400.0
"""Age at which what is left of a task is nobody's any more."""

_OURS, _TEMP, _RESULT = "mouthpiece", "temp", "result"
_ENDINGS = (".mp4", ".avi")

RUNNING = Answer(Code.OK, "", Stage.RUNNING)


def speech_name(code: str) -> str:
    """Name of the speech of a task."""
    return f"speech-{code}.wav"


class SharedFolder:
    """`host` is the folder here, `inside` the path under which the container sees it; "" sends bare names."""

    def __init__(self, host: Path, inside: str) -> None:
        self._host = host
        self._inside = inside.rstrip("/")
        self._inputs = host / (_OURS if self._inside else _TEMP)
        self._tasks = host / _OURS / "tasks"

    def open(self) -> None:
        """Make our part of it, and remove what is old. Raises `OSError` when it cannot be written."""
        for folder in (self._inputs, self._tasks):
            folder.mkdir(parents=True, exist_ok=True)
        oldest = time.time() - STALE_SECONDS
        for path in [*self._inputs.glob("speech-*"), *self._tasks.glob("*.json")]:
            with suppress(FileNotFoundError):
                if path.stat().st_mtime < oldest:
                    path.unlink()

    # ------------------------------------------------------------ in

    def put(self, name: str, write: Callable[[Path], None]) -> str:
        """Make sure that a file is there, whole; returns its path as the container sees it."""
        path = self._inputs / name
        if path.exists():
            os.utime(path)
        else:
            handle, unfinished = mkstemp(dir=self._inputs, prefix="unfinished-", suffix=path.suffix)
            os.close(handle)
            try:
                write(Path(unfinished))
                Path(unfinished).chmod(0o644)
                Path(unfinished).replace(path)
            finally:
                Path(unfinished).unlink(missing_ok=True)
        return f"{self._inside}/{_OURS}/{name}" if self._inside else name

    def shed_clips(self) -> None:
        """Remove the avatar clips that were not used for longest."""
        clips = sorted(self._inputs.glob("clip-*.mp4"), key=lambda path: path.stat().st_mtime, reverse=True)
        for path in clips[CLIPS:]:
            path.unlink(missing_ok=True)

    # ------------------------------------------------------------ out

    def find(self, code: str, named: str = "") -> Path | None:
        """The result of a task, which the container may have named, if it has any content."""
        stem = f"{code}-r"
        names = [named.lstrip("/")] if named else []
        names += [f"{stem}{ending}" for ending in _ENDINGS]
        for name in names:
            for folder in ("", _TEMP, _RESULT):
                path = self._seen(name, folder)
                with suppress(OSError):
                    if path.stat().st_size:
                        return path
        return None

    def _seen(self, name: str, folder: str) -> Path:
        inside = self._inside.lstrip("/")
        if inside and name.startswith(f"{inside}/"):
            name = name.removeprefix(f"{inside}/")
        return self._host / folder / name

    def clear(self, code: str) -> None:
        """Remove what a task left behind, and its speech, as far as they may be removed."""
        left = [path for folder in (_TEMP, _RESULT) for path in (self._host / folder).glob(f"{code}*")]
        left += [self._host / f"{code}-r{ending}" for ending in _ENDINGS]
        for path in [*left, self._record(code), self._inputs / speech_name(code)]:
            try:
                path.unlink(missing_ok=True)
            except PermissionError:
                log.warning("%s cannot be removed: the container runs as another user", path.name)

    # ------------------------------------------------------------ what is known

    def record(self, code: str, answer: Answer) -> None:
        """Remember an answer, which the container may never give again; it survives this process."""
        fields = {"code": answer.code, "msg": answer.message, "result": answer.result}
        stage = answer.stage.value if answer.stage else None
        unfinished = self._record(code).with_suffix(".new")
        unfinished.write_text(json.dumps({**fields, "stage": stage}), encoding="utf-8")
        unfinished.replace(self._record(code))

    def recorded(self, code: str) -> Answer | None:
        """What is known of a task, None for one that was never submitted."""
        try:
            known = json.loads(self._record(code).read_text(encoding="utf-8"))
            return Answer(known["code"], known["msg"], Stage(known["stage"]), result=known["result"])
        except (OSError, ValueError, KeyError):
            return None

    def _record(self, code: str) -> Path:
        return self._tasks / f"{code}.json"
