"""Immutable blobs named by their SHA-256, in a folder or a bucket that all services share."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from obstore.exceptions import BaseError
from obstore.store import LocalStore, ObjectStore, from_url

from mouthpiece.durable import sync_name, write_durably
from mouthpiece.errors import BadInput, DataLoss, NotFound, Unavailable, writing
from mouthpiece.scratch import sweep

log = logging.getLogger(__name__)

BLOCK = 1 << 20
_UNFINISHED = "unfinished"
"""Folder of files that are being written, beside those that are there."""
_HEX = frozenset("0123456789abcdef")


@dataclass(frozen=True, slots=True)
class Artifact:
    """Name (64 lower-case hexadecimal digits) and size in bytes of a blob."""

    sha256: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Entry:
    """An artifact in the store, and when it was put there (seconds since 1970)."""

    artifact: Artifact
    stored: float


def is_sha256(text: str) -> bool:
    """Whether a string can be an artifact's name."""
    return len(text) == 64 and _HEX.issuperset(text)


def check_sha256(sha256: str, field: str) -> None:
    """Raise `BadInput` for `field` unless the string can be an artifact's name."""
    if not is_sha256(sha256):
        raise BadInput(field, "not a SHA-256 (64 lower-case hexadecimal digits)")


def hash_file(path: Path) -> Artifact:
    """Name and size of a file's content."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return Artifact(digest, file.tell())


class ArtifactStore:
    """The store. Putting what is there already changes nothing; reads check content against name.

    Every method raises `Unavailable` when a bucket does not answer.
    """

    def __init__(self, store: ObjectStore, folder: Path | None = None) -> None:
        self._store = store
        self._folder = folder

    @property
    def folder(self) -> Path | None:
        """Where artifacts are, unless in a bucket."""
        return self._folder

    @classmethod
    def open(cls, url: str) -> ArtifactStore:
        """Open a folder (created when missing) or a bucket such as s3://bucket/prefix."""
        if "://" in url:
            return cls(from_url(url))
        folder = Path(url).absolute()
        folder.mkdir(parents=True, exist_ok=True)
        return cls(LocalStore(folder), folder)

    async def put_bytes(self, data: bytes) -> Artifact:
        """Store bytes under their hash. Raises `Busy` when the disk is full."""
        artifact = Artifact(hashlib.sha256(data).hexdigest(), len(data))
        await self._put(artifact, data)
        return artifact

    async def put_file(self, path: Path) -> Artifact:
        """Store a file's content under its hash; the file stays where it is. Raises `Busy` when the disk is
        full."""
        artifact = await asyncio.to_thread(hash_file, path)
        await self._put(artifact, path)
        return artifact

    async def _put(self, artifact: Artifact, content: bytes | Path) -> None:
        """Store content. It appears whole or not at all, and survives a power cut by then."""
        there = await self._size(artifact.sha256) == artifact.size_bytes
        if self._folder is not None:
            await asyncio.to_thread(self._keep, artifact, None if there else content)
        elif not there:
            with _answering():
                await self._store.put_async(_key(artifact.sha256), content)

    def _keep(self, artifact: Artifact, content: bytes | Path | None) -> None:
        """Write a file, or without content see to it that the one that is there stays."""
        assert self._folder is not None
        path = self._folder / _key(artifact.sha256)
        with writing("the artifacts"):
            if content is not None:
                write_durably(path, content, self._folder / _UNFINISHED)
                return
            # Whoever wrote it may have been killed before its name was safe, and a sweep may think it old.
            sync_name(path)
            os.utime(path)

    async def sweep(self) -> None:
        """Delete what processes that were killed were writing."""
        if self._folder is not None:
            await asyncio.to_thread(sweep, (self._folder / _UNFINISHED).glob("*"))

    async def has(self, sha256: str) -> bool:
        """Whether the artifact is there."""
        return await self._size(sha256) is not None

    async def find(self, sha256: str) -> Artifact:
        """The artifact by its name. Raises `NotFound`."""
        size = await self._size(sha256)
        if size is None:
            raise NotFound(f"no artifact {sha256}")
        return Artifact(sha256, size)

    async def _size(self, sha256: str) -> int | None:
        try:
            with _answering():
                return (await self._store.head_async(_key(sha256)))["size"]
        except FileNotFoundError:
            return None

    async def read(self, sha256: str, offset: int = 0, length: int = 0) -> AsyncIterator[bytes]:
        """Yield a range (length 0: to the end) in blocks of at most 256 KiB; not checked against the name."""
        size = (await self.find(sha256)).size_bytes
        end = min(size, offset + length) if length else size
        while offset < end:
            part = min(1 << 18, end - offset)
            with _answering():
                block = await self._store.get_range_async(_key(sha256), start=offset, length=part)
            yield bytes(block)
            offset += part

    async def get_bytes(self, sha256: str) -> bytes:
        """The whole content, checked. Raises `NotFound` or `DataLoss`. For small artifacts."""
        data = b"".join([block async for block in self.read(sha256)])
        if hashlib.sha256(data).hexdigest() != sha256:
            raise DataLoss(f"artifact {sha256} is damaged")
        return data

    @asynccontextmanager
    async def local(self, sha256: str) -> AsyncGenerator[Path]:
        """A file with the content, checked against its name; read-only, and gone with the context.

        Raises `NotFound` or `DataLoss`.
        """
        await self.find(sha256)
        if self._folder is not None:
            path = self._folder / _key(sha256)
            await _check(path, sha256)
            yield path
            return
        with tempfile.TemporaryDirectory(prefix="mouthpiece-") as folder:
            path = Path(folder) / sha256
            with writing("scratch files"), path.open("wb") as file:
                async for block in self.read(sha256):
                    file.write(block)
            await _check(path, sha256)
            yield path

    async def entries(self) -> AsyncGenerator[Entry]:
        """Everything there is, in no order."""
        pages = aiter(self._store.list())
        while True:
            with _answering():
                page = await anext(pages, None)
            if page is None:
                return
            for meta in page:
                name = meta["path"].rpartition("/")[2]
                if len(name) == 64:
                    yield Entry(Artifact(name, meta["size"]), meta["last_modified"].timestamp())

    async def delete(self, sha256: str) -> None:
        """Remove an artifact; nothing happens when it is gone already."""
        try:
            with _answering():
                await self._store.delete_async(_key(sha256))
        except FileNotFoundError:
            return


@contextmanager
def _answering() -> Generator[None]:
    """Raise `Unavailable` when a bucket does not answer, or refuses to."""
    try:
        yield
    except BaseError as error:
        log.warning("the artifact store does not answer: %s", error)
        raise Unavailable("the artifact store does not answer") from error


def _key(sha256: str) -> str:
    check_sha256(sha256, "sha256")
    return f"{sha256[:2]}/{sha256}"


async def _check(path: Path, sha256: str) -> None:
    if (await asyncio.to_thread(hash_file, path)).sha256 != sha256:
        raise DataLoss(f"artifact {sha256} is damaged")
