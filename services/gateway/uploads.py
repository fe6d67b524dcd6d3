"""Assets on their way in: kept by their announced hash until they are whole, so that an upload can go on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Generator
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import BinaryIO, Literal
from weakref import WeakValueDictionary

from mouthpiece.artifacts import Artifact, ArtifactStore, check_sha256, hash_file
from mouthpiece.errors import BadInput, Busy, DataLoss, writing
from mouthpiece.scratch import sweep
from services.gateway import metrics
from services.gateway.access import current_caller
from services.gateway.room import Room
from services.gateway.store import JobStore

MAX_BLOCK = 1 << 20
SWEEP_EVERY = 3600.0
STALE_SECONDS = 86_400.0


async def has_asset(artifacts: ArtifactStore, store: JobStore, sha256: str) -> bool:
    """Whether an asset is there for the caller, whose tenant must have sent it: a hash opens nothing."""
    tenant = current_caller().tenant
    if tenant and tenant not in await store.asset_senders(sha256):
        return False
    return await artifacts.has(sha256)


class Uploads:
    """A folder of unfinished uploads in front of the artifact store."""

    def __init__(
        self, folder: Path, artifacts: ArtifactStore, store: JobStore, max_bytes: int, room: Room
    ) -> None:
        self._room = room
        self._uploads = folder
        self._artifacts = artifacts
        self._store = store
        self._max_bytes = max_bytes
        self._receiving: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def offset(self, sha256: str) -> tuple[int, bool]:
        """Bytes that have arrived, and whether that is all."""
        check_sha256(sha256, "sha256")
        if await has_asset(self._artifacts, self._store, sha256):
            return (await self._artifacts.find(sha256)).size_bytes, True
        return self._size(sha256), False

    async def receive(self, announced: Artifact, offset: int, data: AsyncIterator[bytes]) -> Artifact:
        """Take data from an offset on; store the asset when it is whole.

        A broken stream leaves what arrived, for another to go on. Raises `BadInput`, `Busy` when the disk
        is nearly full, or `DataLoss` when the whole has another hash.
        """
        check_sha256(announced.sha256, "header.sha256")
        self._check_size(announced.size_bytes)
        lock = self._receiving.setdefault(str(self._path(announced.sha256)), asyncio.Lock())
        async with lock:
            if await has_asset(self._artifacts, self._store, announced.sha256):
                return await self._artifacts.find(announced.sha256)
            await self._room.check(announced.size_bytes)
            await self._append(announced, offset, data)
            return await self._finish(announced)

    async def take(self, data: AsyncIterator[bytes]) -> Artifact:
        """Store content of which neither hash nor size is known beforehand. Raises `BadInput` and `Busy`."""
        await self._room.check()
        self._folder.mkdir(parents=True, exist_ok=True)
        with writing("uploads"), NamedTemporaryFile(dir=self._folder, prefix="new-") as file:
            async for block in data:
                if file.tell() + len(block) > self._max_bytes:
                    raise BadInput("data", f"the file is larger than the limit of {self._max_bytes} bytes")
                metrics.uploaded(len(block))
                await asyncio.to_thread(file.write, block)
            self._check_size(file.tell())
            file.flush()
            return await self._keep(Path(file.name))

    def _check_size(self, size: int) -> None:
        if size < 1:
            raise BadInput("header.size_bytes", "the file is empty")
        if size > self._max_bytes:
            raise BadInput("header.size_bytes", f"{size} bytes are more than the limit of {self._max_bytes}")

    async def _append(self, announced: Artifact, offset: int, data: AsyncIterator[bytes]) -> None:
        have = self._size(announced.sha256)
        if not 0 <= offset <= have:
            raise BadInput("header.offset", f"{offset} leaves a gap: {have} bytes have arrived")
        self._folder.mkdir(parents=True, exist_ok=True)
        with self._part(announced.sha256, "r+b" if have else "wb") as file:
            file.seek(offset)
            async for block in data:
                if len(block) > MAX_BLOCK:
                    raise BadInput("data", f"{len(block)} bytes in one message; at most {MAX_BLOCK}")
                if file.tell() + len(block) > announced.size_bytes:
                    raise BadInput("data", "more data than was announced")
                metrics.uploaded(len(block))
                await asyncio.to_thread(file.write, block)

    @contextmanager
    def _part(self, sha256: str, mode: Literal["r+b", "wb"]) -> Generator[BinaryIO]:
        """The file of an unfinished upload, which goes when the disk is full: it would keep it so."""
        path = self._path(sha256)
        try:
            with writing("uploads"), path.open(mode) as file:
                yield file
        except Busy:
            path.unlink(missing_ok=True)
            raise

    async def _finish(self, announced: Artifact) -> Artifact:
        path = self._path(announced.sha256)
        found = await asyncio.to_thread(hash_file, path)
        if found.size_bytes < announced.size_bytes:
            raise BadInput("data", f"ends after {found.size_bytes} of {announced.size_bytes} bytes")
        try:
            if found != announced:
                raise DataLoss("the content does not have the announced SHA-256")
            return await self._keep(path)
        finally:
            path.unlink(missing_ok=True)

    async def _keep(self, path: Path) -> Artifact:
        asset = await self._artifacts.put_file(path)
        tenant = current_caller().tenant
        if tenant:
            await self._store.add_asset(asset.sha256, tenant)
        return asset

    async def run(self) -> None:
        """Remove what nobody has gone on with for a day, every hour, until cancelled."""
        while True:
            await asyncio.to_thread(self.sweep)
            await asyncio.sleep(SWEEP_EVERY)

    def sweep(self) -> None:
        """Remove what nobody has gone on with for a day."""
        sweep((path for path in self._uploads.rglob("*") if path.is_file()), STALE_SECONDS)

    @property
    def _folder(self) -> Path:
        """Where the caller's uploads are: nobody goes on with another tenant's."""
        return self._uploads / current_caller().tenant

    def _size(self, sha256: str) -> int:
        path = self._path(sha256)
        return path.stat().st_size if path.exists() else 0

    def _path(self, sha256: str) -> Path:
        return self._folder / f"{sha256}.part"
