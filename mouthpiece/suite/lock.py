"""One suite per data folder."""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from mouthpiece.errors import BadInput

ORPHANS_GONE = 15.0
"""Seconds after which nothing is left of a suite whose supervisor was killed."""

_POLL_SECONDS = 0.1


@asynccontextmanager
async def locked(data: Path) -> AsyncGenerator[int]:
    """Hold the folder for one suite; yields a file descriptor for the suite's processes to keep open.

    Raises `BadInput` (field `data`) when another suite has it. When only processes are left whose
    supervisor was killed, waits for their end.
    """
    descriptor = os.open(data / "suite.lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        await _acquire(descriptor, data)
        os.truncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        yield descriptor
    finally:
        os.close(descriptor)


async def _acquire(descriptor: int, data: Path) -> None:
    loop = asyncio.get_running_loop()
    limit = loop.time() + ORPHANS_GONE
    while not _try(descriptor):
        owner = os.pread(descriptor, 20, 0).decode()
        if _alive(owner) or loop.time() > limit:
            raise BadInput("data", f"{data} is in use by another suite (process {owner or 'unknown'})")
        await asyncio.sleep(_POLL_SECONDS)


def _try(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _alive(pid: str) -> bool:
    if not pid.isdecimal():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
