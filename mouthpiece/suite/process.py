"""One child process and its log."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

_TAIL_BYTES = 4096
_LOG_LIMIT = 16 << 20


class Child:
    """A running service. Its output goes to its log file, which outlives both it and the supervisor."""

    def __init__(self, process: Process) -> None:
        self._process = process

    @classmethod
    async def start(
        cls, module: str, environment: Mapping[str, str], log: Path, keep_open: Sequence[int] = ()
    ) -> Child:
        """Start `python -m module`, in a session of its own so that Ctrl-C reaches only the supervisor.

        The file descriptors `keep_open` stay open in it.
        """
        _rotate(log)
        with log.open("ab") as output:
            output.write(f"--- {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC: {module} starts\n".encode())
            output.flush()
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-P",  # what lies in the folder that the user is in must not shadow our packages
                "-m",
                "mouthpiece.suite.child",
                module,
                stdin=PIPE,
                stdout=output,
                stderr=output,
                env=environment,
                start_new_session=True,
                pass_fds=keep_open,
            )
        return cls(process)

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs; negative: the signal that ended it."""
        return self._process.returncode

    async def wait(self) -> int:
        """Wait for its end and return the exit code."""
        return await self._process.wait()

    async def stop(self, seconds: float) -> None:
        """Ask it to drain, and kill it when it still runs after `seconds`."""
        self._signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(seconds):
                await self._process.wait()
        except TimeoutError:
            await self.kill()

    async def kill(self) -> None:
        """End it at once, with everything it started."""
        self._signal(signal.SIGKILL)
        await self._process.wait()

    def _signal(self, number: signal.Signals) -> None:
        if self._process.returncode is not None:
            return
        try:
            # It leads a session, so its process group holds what it started.
            os.killpg(self._process.pid, number)
        except ProcessLookupError:
            return


def last_line(log: Path) -> str:
    """The last line of a log that says something, or nothing."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - _TAIL_BYTES))
            lines = file.read().decode(errors="replace").splitlines()
    except OSError:
        return ""
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


def _rotate(log: Path) -> None:
    """Keep one older log, so that years of restarts do not fill the disk."""
    if log.exists() and log.stat().st_size > _LOG_LIMIT:
        log.replace(log.with_suffix(".log.1"))
