"""All services in this process, with workers whose engines are given by settings."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from mouthpiece.client import Client, OnRetry
from mouthpiece.rpc.server import Program, serving
from mouthpiece.settings import CommonSettings, GatewaySettings, LipSyncSettings, MergerSettings, TtsSettings
from services.gateway import __main__ as gateway
from services.lipsync import __main__ as lipsync
from services.merger import __main__ as merger
from services.tts import __main__ as tts


@asynccontextmanager
async def cluster(
    folder: Path, workers: Sequence[LipSyncSettings], on_retry: OnRetry | None = None
) -> AsyncGenerator[Client]:
    """A client of a gateway with these workers, each with caches of its own."""
    async with AsyncExitStack() as stack:

        async def start(program: Program) -> str:
            return (await stack.enter_async_context(serving(program, "127.0.0.1", 0, 0.2))).address

        common = CommonSettings(data=folder)
        speech = await start(tts.program(common, TtsSettings(port=0)))
        merging = await start(merger.program(common, MergerSettings(port=0)))
        addresses = [
            await start(lipsync.program(CommonSettings(data=folder, cache=folder / f"cache{number}"), worker))
            for number, worker in enumerate(workers)
        ]
        settings = GatewaySettings(tts=speech, merger=merging, workers=",".join(addresses))
        address = await start(gateway.program(common, settings))
        yield await stack.enter_async_context(Client(address, on_retry=on_retry))
