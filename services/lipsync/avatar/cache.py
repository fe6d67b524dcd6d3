"""Prepared avatars on disk: found again after a restart, made once, bounded in size.

One folder per avatar. A folder appears complete or not at all, and several processes may share the cache:
who wants to prepare an avatar takes a lock that the kernel releases when its holder dies. What was not used
for longest goes first; frames that someone still has mapped stay readable until he lets go.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import mkdtemp

from mouthpiece.errors import MouthpieceError
from mouthpiece.scratch import sweep
from services.lipsync.avatar.clip import Avatar
from services.lipsync.avatar.inspection import AvatarInfo
from services.lipsync.avatar.preparation import Stopped, load

_LOCKS, _SCRATCH = ".locks", ".scratch"
_POLL_SECONDS = 0.05
_WAIT_SECONDS = 1800
"""Longer than any preparation takes."""


class AvatarCache:
    """Prepared avatars in a folder. Safe to use from several threads and processes."""

    def __init__(self, folder: Path, limit_bytes: int) -> None:
        self._folder = folder
        self._limit = limit_bytes
        for name in (_LOCKS, _SCRATCH):
            (folder / name).mkdir(parents=True, exist_ok=True)
        sweep((folder / _SCRATCH).iterdir())

    def find(self, key: str) -> tuple[Avatar, AvatarInfo] | None:
        """The avatar, when it is there; it counts as used now."""
        folder = self._folder / key
        try:
            found = load(folder, key)
            os.utime(folder)
        except (FileNotFoundError, ValueError, KeyError, EOFError):
            return None  # a damaged one goes when its lock is held: it may be a whole one by now
        return found

    def obtain(
        self, key: str, prepare: Callable[[Path], None], go_on: Callable[[], bool] = lambda: True
    ) -> tuple[Avatar, AvatarInfo]:
        """The avatar; `prepare` writes it into an empty folder unless it is there.

        While another process prepares the same one, waits for that. Raises what `prepare` raises, and
        `Stopped` when `go_on` says no or the wait takes too long.
        """
        found = self.find(key)
        if found is not None:
            return found
        with self._locked(key, go_on):
            found = self.find(key)
            if found is None:
                self._remove(self._folder / key)
                self._make(key, prepare)
                found = self.find(key)
        if found is None:
            raise MouthpieceError("the prepared avatar vanished from the cache")
        self._shrink(keep=key)
        return found

    def names(self) -> list[str]:
        """Keys of what is there, most recently used first."""
        return [folder.name for _, folder in sorted(self._entries(), reverse=True)]

    def _make(self, key: str, prepare: Callable[[Path], None]) -> None:
        scratch = Path(mkdtemp(dir=self._folder / _SCRATCH))
        try:
            prepare(scratch)
            scratch.rename(self._folder / key)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)

    @contextmanager
    def _locked(self, key: str, go_on: Callable[[], bool]) -> Generator[None]:
        give_up = time.monotonic() + _WAIT_SECONDS
        with (self._folder / _LOCKS / _lock_name(key)).open("wb") as file:
            while not _try_lock(file.fileno()):
                if not go_on() or time.monotonic() > give_up:
                    raise Stopped("the preparation of the avatar was called off")
                time.sleep(_POLL_SECONDS)
            yield

    def _shrink(self, keep: str) -> None:
        """Remove what was unused for longest until the rest fits; `keep` stays, however large it is."""
        entries = sorted(self._entries())
        total = sum(_size(folder) for _, folder in entries)
        for _, folder in entries:
            if total <= self._limit:
                return
            if folder.name != keep:
                total -= _size(folder)
                self._remove(folder)

    def _entries(self) -> list[tuple[float, Path]]:
        """Time of last use and folder of each avatar."""
        found: list[tuple[float, Path]] = []
        for folder in self._folder.iterdir():
            if not folder.name.startswith("."):
                with suppress(FileNotFoundError):
                    found.append((folder.stat().st_mtime, folder))
        return found

    def _remove(self, folder: Path) -> None:
        """Make it vanish at once, then delete it: nobody opens half of it. It may be gone already."""
        trash = Path(mkdtemp(dir=self._folder / _SCRATCH))
        with suppress(OSError):
            folder.rename(trash / folder.name)
        shutil.rmtree(trash, ignore_errors=True)


def _lock_name(key: str) -> str:
    """One of 256 locks: a lock file cannot be removed safely, so there must not be one per avatar."""
    return hashlib.sha256(key.encode()).hexdigest()[:2]


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _size(folder: Path) -> int:
    total = 0
    with suppress(OSError):
        total = sum(file.stat().st_size for file in folder.iterdir())
    return total
