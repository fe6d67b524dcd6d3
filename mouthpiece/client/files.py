"""Files on the caller's side: hashed, read and written in pieces, never whole in memory."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from mouthpiece.artifacts import Artifact, hash_file
from mouthpiece.errors import BadInput, DataLoss

_BLOCK = 1 << 20


def check_readable(path: Path, field: str) -> None:
    """Raise `BadInput` for `field` unless `path` is a file that can be read."""
    if path.is_dir():
        raise BadInput(field, f"{path} is a folder")
    if not path.exists():
        raise BadInput(field, f"{path} does not exist")
    if not path.is_file():
        raise BadInput(field, f"{path} is not a regular file")
    if not os.access(path, os.R_OK):
        raise BadInput(field, f"{path} cannot be read: permission denied")


def check_writable(path: Path, field: str) -> None:
    """Raise `BadInput` for `field` unless a file at `path` can be made or replaced; leaves nothing there."""
    if path.is_dir():
        raise BadInput(field, f"{path} is a folder")
    if path.exists() and not path.is_file():
        raise BadInput(field, f"{path} is not a regular file")
    if path.exists() and not os.access(path, os.W_OK):
        raise BadInput(field, f"{path} exists and is write-protected")
    if not path.parent.is_dir():
        raise BadInput(field, f"the folder {path.parent} does not exist")
    try:
        with tempfile.TemporaryFile(dir=path.parent):
            return
    except OSError as error:
        raise BadInput(field, f"{path} cannot be written: {error.strerror or error}") from None


def destination(path: Path, field: str) -> Path:
    """The file that `path` stands for, behind any links. Raises `BadInput` when it cannot be written."""
    goal = path.resolve()
    check_writable(goal, field)
    return goal


def name_file(path: Path, field: str) -> Artifact:
    """Hash and size of a file. Raises `BadInput` for `field`."""
    check_readable(path, field)
    try:
        return hash_file(path)
    except OSError as error:
        raise BadInput(field, f"{path} cannot be read: {error.strerror or error}") from None


def blocks(path: Path, offset: int, end: int, block: int) -> Iterator[bytes]:
    """Yield the bytes of a file from `offset` to `end`, in pieces of at most `block`."""
    with path.open("rb") as file:
        file.seek(offset)
        while data := file.read(min(block, end - offset)):
            yield data
            offset += len(data)


class PartFile:
    """A download on its way: a file next to its goal that a later call with the same content goes on with.

    The part is named after the content, so that two different downloads to one goal never mix.
    """

    def __init__(self, goal: Path, content: Artifact) -> None:
        self._goal = goal
        self._content = content
        self.path = goal.with_name(f"{goal.name}.{content.sha256[:12]}.part")
        self._digest = hashlib.sha256()
        self._file = self.path.open("a+b")
        try:
            self.size = self._recover()
        except BaseException:
            self._file.close()
            raise

    def _recover(self) -> int:
        self._file.seek(0)
        while block := self._file.read(_BLOCK):
            self._digest.update(block)
        size = self._file.tell()
        if size > self._content.size_bytes:
            self.restart()
            return 0
        return size

    @property
    def complete(self) -> bool:
        """Whether every byte has arrived."""
        return self.size >= self._content.size_bytes

    def append(self, data: bytes) -> None:
        """Write what follows. Raises OSError."""
        self._file.write(data)
        self._digest.update(data)
        self.size += len(data)

    def restart(self) -> None:
        """Forget what arrived."""
        self._file.truncate(0)
        self._digest = hashlib.sha256()
        self.size = 0

    def intact(self) -> bool:
        """Whether the bytes are those that were named."""
        return self.complete and self._digest.hexdigest() == self._content.sha256

    def finish(self) -> None:
        """Move the part to its goal. Raises `DataLoss` and removes the part when the content is not right."""
        if not self.intact():
            self._file.close()
            self.path.unlink(missing_ok=True)
            raise DataLoss(f"{self._goal.name} arrived damaged; nothing was kept")
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self.path.replace(self._goal)

    def close(self) -> None:
        """Close the file; the part stays for a later call."""
        self._file.close()
