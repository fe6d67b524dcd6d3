"""The client for programs without an event loop: the same methods, run on a loop in a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator
from functools import wraps
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

from mouthpiece.client._link import OnRetry
from mouthpiece.client.client import Client
from mouthpiece.client.retry import Patience

P = ParamSpec("P")
T = TypeVar("T")

_CLOSE_SECONDS = 10.0


def _blocking(
    method: Callable[Concatenate[Client, P], Coroutine[Any, Any, T]],
) -> Callable[Concatenate[SyncClient, P], T]:
    @wraps(method)
    def call(self: SyncClient, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self.run(method(self.client, *args, **kwargs))

    return call


def _iterating(
    method: Callable[Concatenate[Client, P], AsyncGenerator[T, None]],
) -> Callable[Concatenate[SyncClient, P], Iterator[T]]:
    @wraps(method)
    def iterate(self: SyncClient, /, *args: P.args, **kwargs: P.kwargs) -> Iterator[T]:
        items = method(self.client, *args, **kwargs)
        try:
            while (item := self.run(_next(items))) is not None:
                yield item
        finally:
            self.run(items.aclose())

    return iterate


async def _next(items: AsyncGenerator[T, None]) -> T | None:
    return await anext(items, None)


class SyncClient:
    """A connection to a gateway: ``with SyncClient("localhost:50051") as client``.

    Each method does what that of `Client` does and returns when it is done; callbacks are called in the
    client's own thread. Ctrl-C in the middle of `generate` cancels the job when the client is closed.
    """

    def __init__(
        self,
        address: str = "localhost:50051",
        *,
        patience: Patience = Patience(),  # noqa: B008 - frozen
        on_retry: OnRetry | None = None,
        token: str | None = None,
    ) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="mouthpiece-client", daemon=True)
        self._thread.start()
        try:
            self.client = self.run(_open(address, patience, on_retry, token))
        except BaseException:
            self._stop()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the client's loop and return what it returns."""
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except KeyboardInterrupt:
            future.cancel()
            raise

    def close(self) -> None:
        """End what still runs and close the connection."""
        try:
            self.run(_wind_up(self.client))
        finally:
            self._stop()

    def _stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    connect = _blocking(Client.connect)
    generate = _blocking(Client.generate)
    prepare = _blocking(Client.prepare)
    submit = _blocking(Client.submit)
    plan = _blocking(Client.plan)
    watch = _iterating(Client.watch)
    follow = _blocking(Client.follow)
    get_job = _blocking(Client.get_job)
    list_jobs = _blocking(Client.list_jobs)
    cancel = _blocking(Client.cancel)
    delete = _blocking(Client.delete)
    upload = _blocking(Client.upload)
    download = _blocking(Client.download)
    download_captions = _blocking(Client.download_captions)
    stream = _iterating(Client.stream)
    cluster = _blocking(Client.cluster)
    watch_cluster = _iterating(Client.watch_cluster)
    normalize = _blocking(Client.normalize)
    voices = _blocking(Client.voices)
    engines = _blocking(Client.engines)


async def _open(address: str, patience: Patience, on_retry: OnRetry | None, token: str | None) -> Client:
    return Client(address, patience=patience, on_retry=on_retry, token=token)


async def _wind_up(client: Client) -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        if not task.cancelling():  # one that is being cancelled may be cancelling its job
            task.cancel()
    if others:
        await asyncio.wait(others, timeout=_CLOSE_SECONDS)
    await client.close()
