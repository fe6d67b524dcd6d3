"""One suite per data folder."""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from mouthpiece.errors import BadInput

_DYING_SECONDS = 1.0
"""What a killed supervisor may take to be gone."""
_ORPHAN_SECONDS = 15.0
"""What is left of a suite whose supervisor was killed ends within this."""
_POLL_SECONDS = 0.05


@asynccontextmanager
async def locked(data: Path) -> AsyncGenerator[int]:
    """Hold the folder for one suite; yields a file descriptor for the suite's processes to keep open.

    There are two locks: the supervisor's, and one that its processes share with it and that lasts until the
    last of them has ended. Raises `BadInput` (field `data`) when another suite has the folder; waits for
    processes whose supervisor was killed.
    """
    supervisor = os.open(data / "suite.lock", os.O_RDWR | os.O_CREAT, 0o644)
    processes = os.open(data / "processes.lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        if not await _acquire(supervisor, _DYING_SECONDS):
            owner = os.pread(supervisor, 20, 0).decode()
            raise BadInput("data", f"{data} is in use by another suite (process {owner})")
        os.truncate(supervisor, 0)
        os.pwrite(supervisor, str(os.getpid()).encode(), 0)
        if not await _acquire(processes, _ORPHAN_SECONDS):
            raise BadInput("data", f"{data} is in use by services of an earlier suite that do not end")
        yield processes
    finally:
        os.close(processes)
        os.close(supervisor)


async def _acquire(descriptor: int, seconds: float) -> bool:
    loop = asyncio.get_running_loop()
    limit = loop.time() + seconds
    while not _try(descriptor):
        if loop.time() > limit:
            return False
        await asyncio.sleep(_POLL_SECONDS)
    return True


def _try(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
