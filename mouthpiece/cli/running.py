"""Running one command against a gateway."""

from __future__ import annotations

import asyncio
import shutil
import signal
import tempfile
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

from mouthpiece.cli.console import err
from mouthpiece.cli.errors import Interrupted
from mouthpiece.client import Client, OnRetry
from mouthpiece.errors import BadInput, MouthpieceError
from mouthpiece.suite import Suite, SuiteConfig

T = TypeVar("T")

_PRIVATE_DRAIN_SECONDS = 3.0


def run(program: Coroutine[Any, Any, T]) -> T:
    """Run a command's coroutine; Ctrl-C and SIGTERM cancel it and raise `Interrupted`."""
    try:
        return asyncio.run(_terminable(program))
    except (KeyboardInterrupt, asyncio.CancelledError):
        raise Interrupted from None


async def _terminable(program: Coroutine[Any, Any, T]) -> T:
    task = asyncio.create_task(program)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await task


def ask(gateway: str, question: Callable[[Client], Awaitable[T]]) -> T:
    """Connect to a gateway, do one thing and hang up."""

    async def once() -> T:
        async with connected(gateway) as client:
            return await question(client)

    return run(once())


@asynccontextmanager
async def connected(gateway: str, on_retry: OnRetry | None = None) -> AsyncGenerator[Client]:
    """A client of a gateway that is there. Raises `Unavailable` at once when it is not."""
    async with Client(gateway, on_retry=on_retry) as client:
        await client.connect()
        yield client


@asynccontextmanager
async def private_suite(workers: int | None) -> AsyncGenerator[str]:
    """A suite of its own for one call, in a temporary folder; yields its gateway's address.

    When the suite itself fails, the folder with its logs stays.
    """
    folder = Path(tempfile.mkdtemp(prefix="mouthpiece-"))
    config = SuiteConfig(folder, workers, grpc_port=0, drain_seconds=_PRIVATE_DRAIN_SECONDS)
    keep = False
    try:
        with err().status("starting a suite for this call"):
            suite = await Suite(config).__aenter__()
        try:
            yield suite.address
        finally:
            with err().status("stopping the suite"):
                await suite.__aexit__(None, None, None)
    except MouthpieceError as error:
        keep = not isinstance(error, BadInput)
        raise
    finally:
        if keep:
            err().print(f"the suite's logs are in {folder / 'logs'}", soft_wrap=True)
        else:
            shutil.rmtree(folder, ignore_errors=True)
