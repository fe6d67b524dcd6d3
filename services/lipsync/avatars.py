"""Avatars by the names of their artifacts: inspected, prepared once for all who wait, and kept."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import OrderedDict
from collections.abc import AsyncGenerator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from mouthpiece.artifacts import ArtifactStore
from mouthpiece.errors import BadInput
from mouthpiece.media.enhance import Backdrop
from services.lipsync import metrics
from services.lipsync.avatar import Avatar
from services.lipsync.avatar.cache import AvatarCache
from services.lipsync.avatar.color import I420
from services.lipsync.avatar.confinement import inspect_confined, prepare_confined
from services.lipsync.avatar.default import DEFAULT_KEY, default_avatar
from services.lipsync.avatar.inspection import AvatarInfo
from services.lipsync.avatar.limits import Limits
from services.lipsync.avatar.preparation import Format, avatar_key
from services.lipsync.backdrop import Wanted, backdrop, check_picture, check_screen

log = logging.getLogger(__name__)

CLOSE_SECONDS = 10.0
"""Time for preparations to end after they were called off; they end within a frame."""

PREPARATIONS = 2
"""Avatars prepared at a time; others wait."""

_REMEMBERED = 256
"""Inspections whose results are kept."""


@dataclass(frozen=True, slots=True)
class Ready:
    """A prepared avatar, what was found out about it, and whether it was there already."""

    avatar: Avatar
    info: AvatarInfo
    was_ready: bool


@dataclass
class _Preparation:
    """A preparation under way, for as long as somebody waits for it."""

    task: asyncio.Task[Ready]
    stop: threading.Event
    waiters: int = field(default=0)


class AvatarLibrary:
    """Finds, inspects and prepares avatars. All methods belong to one event loop."""

    def __init__(self, store: ArtifactStore, folder: Path, models: Path, limits: Limits, size: int) -> None:
        self._store = store
        self._models = models
        self._limits = limits
        self._folder = folder
        self._cache = AvatarCache(folder / "prepared", size)
        self._under_way: dict[str, _Preparation] = {}
        self._inspected: OrderedDict[str, AvatarInfo] = OrderedDict()
        self._pool = ThreadPoolExecutor(PREPARATIONS, thread_name_prefix="avatar")

    async def inspect(self, sha256: str) -> AvatarInfo:
        """Look at an avatar; "" is the default one. Raises `NotFound`, and what `inspect` raises."""
        if sha256 not in self._inspected:
            async with self._file(sha256) as path:
                self._inspected[sha256] = await asyncio.to_thread(self._look, path)
        self._inspected.move_to_end(sha256)
        if len(self._inspected) > _REMEMBERED:
            self._inspected.popitem(last=False)
        return self._inspected[sha256]

    async def backdrop(self, wanted: Wanted | None, avatar: Avatar) -> Backdrop | None:
        """What is to stand behind the person of a prepared avatar. Raises `NotFound`, and `BadInput`."""
        return await self._backdrop(wanted, avatar.frame_i420(0)) if wanted else None

    async def check_backdrop(self, wanted: Wanted | None, sha256: str) -> None:
        """Raise what `backdrop` raises, for an avatar that need not be prepared."""
        if wanted is None:
            return
        async with self._file(sha256) as path:
            await asyncio.to_thread(check_screen, path, self._limits)
        if wanted.picture_sha256:
            async with self._file(wanted.picture_sha256) as path:
                await asyncio.to_thread(check_picture, path, self._limits)

    async def _backdrop(self, wanted: Wanted, frame: I420) -> Backdrop:
        if not wanted.picture_sha256:
            return await asyncio.to_thread(backdrop, wanted, None, frame, self._limits)
        async with self._file(wanted.picture_sha256) as path:
            return await asyncio.to_thread(backdrop, wanted, path, frame, self._limits)

    async def obtain(self, sha256: str, wanted: Format) -> Ready:
        """The avatar on the grid and at the size of a job. Raises what `inspect` and `prepare` raise."""
        key = avatar_key(sha256 or DEFAULT_KEY, wanted, self._limits)
        under_way = self._under_way.get(key)
        if under_way is None:
            stop = threading.Event()
            task = asyncio.create_task(self._obtain(sha256, wanted, key, stop))
            under_way = self._under_way[key] = _Preparation(task, stop)
            task.add_done_callback(_noticed)
        under_way.waiters += 1
        try:
            return await asyncio.shield(under_way.task)
        finally:
            under_way.waiters -= 1
            if not under_way.waiters:
                under_way.stop.set()
                if self._under_way.get(key) is under_way:
                    del self._under_way[key]

    def prepared(self) -> list[str]:
        """Artifacts that are prepared for some format, most recently used first, "" for the default one."""
        names = [key.partition("-")[0] for key in self._cache.names()]
        return ["" if name == "default" else name for name in dict.fromkeys(names)]

    async def close(self) -> None:
        """Call off what is under way and wait for it."""
        for under_way in list(self._under_way.values()):
            under_way.stop.set()
        tasks = [under_way.task for under_way in self._under_way.values()]
        if tasks:
            await asyncio.wait(tasks, timeout=CLOSE_SECONDS)
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _obtain(self, sha256: str, wanted: Format, key: str, stop: threading.Event) -> Ready:
        found = await asyncio.to_thread(self._cache.find, key)
        if found is not None:
            metrics.avatar_found()
            return Ready(*found, was_ready=True)
        async with self._file(sha256) as path:
            start = time.perf_counter()
            loop = asyncio.get_running_loop()
            found = await loop.run_in_executor(self._pool, self._prepare, path, wanted, key, stop)
        took = time.perf_counter() - start
        metrics.avatar_prepared(took)
        avatar = found[0]
        log.info("prepared avatar %s: %d frames in %.1f s", key, avatar.frames, took)
        return Ready(*found, was_ready=False)

    def _look(self, path: Path) -> AvatarInfo:
        return inspect_confined(path, self._models, self._limits).info

    def _prepare(
        self, path: Path, wanted: Format, key: str, stop: threading.Event
    ) -> tuple[Avatar, AvatarInfo]:
        def write(folder: Path) -> None:
            prepare_confined(path, folder, wanted, self._models, self._limits, lambda: not stop.is_set())

        return self._cache.obtain(key, write, lambda: not stop.is_set())

    @asynccontextmanager
    async def _file(self, sha256: str) -> AsyncGenerator[Path]:
        if not sha256:
            yield await asyncio.to_thread(default_avatar, self._folder)
            return
        artifact = await self._store.find(sha256)
        if artifact.size_bytes > self._limits.max_bytes:
            limit = self._limits.max_bytes >> 20
            raise BadInput("avatar", f"larger than {limit} MiB, the most that is accepted")
        async with self._store.local(sha256) as path:
            yield path


def _noticed(task: asyncio.Task[Ready]) -> None:
    """Take note of an error that nobody waited for."""
    if not task.cancelled() and (error := task.exception()) is not None:
        log.debug("a preparation failed: %s", error)
