"""Whether the disks have room: what would fill them is refused before any of it is written."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

from mouthpiece.errors import Busy

RETRY_AFTER = 60.0
"""Seconds after which a refused caller may come back: room is made by deletion, which takes its time."""


class Room:
    """Folders whose disks are to keep some bytes free. Those in a bucket are not among them."""

    def __init__(self, folders: tuple[Path, ...], least_bytes: int) -> None:
        self._folders = folders
        self._least = least_bytes

    async def check(self, size_bytes: int = 0) -> None:
        """Raise `Busy` unless so many bytes more may be written."""
        free = await asyncio.to_thread(self._free)
        if free - size_bytes < self._least:
            raise Busy(f"the disk is nearly full: {max(0, free) >> 20} MiB are free", RETRY_AFTER)

    def _free(self) -> int:
        return min(shutil.disk_usage(folder).free for folder in self._folders)
