"""One channel to a gateway: errors of the tree, retries of what may be retried, streams that go on."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import grpc
from grpc.aio import AioRpcError, UnaryStreamCall, UnaryUnaryMultiCallable

from mouthpiece.client.retry import Backoff, Patience
from mouthpiece.errors import BadInput, MouthpieceError, Unavailable
from mouthpiece.rpc.channel import dial
from mouthpiece.rpc.security import TlsFiles
from mouthpiece.rpc.status import from_rpc_error
from mouthpiece.v1.gateway_pb2_grpc import VideoServiceStub

if TYPE_CHECKING:
    from mouthpiece.v1.gateway_pb2_grpc import VideoServiceAsyncStub  # known to type checkers only

Request = TypeVar("Request")
Response = TypeVar("Response")
OnRetry = Callable[[Unavailable, float], None]

CALL_SECONDS = 120.0
"""Deadline of one attempt of a call that answers once."""

_log = logging.getLogger(__name__)


@contextmanager
def translated() -> Generator[None]:
    """Turn a failed call into an error of the tree."""
    try:
        yield
    except AioRpcError as error:
        raise _from_call(error) from None


def _from_call(error: AioRpcError) -> MouthpieceError:
    # A server that stops calls its streams off; to the client that is the same as a lost connection.
    if error.code() is grpc.StatusCode.CANCELLED:
        return Unavailable("the gateway called the stream off", 0.0)
    if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
        return MouthpieceError("the gateway took too long to answer")
    return from_rpc_error(error)


class Link:
    """Channels to the gateways that share the work, one of which is asked, and the patience with them.

    `address` is HOST:PORT, or several of them separated by commas: when one does not answer, the next is
    asked. `on_retry` hears of each failure and wait.
    """

    def __init__(self, address: str, patience: Patience, on_retry: OnRetry | None, token: str) -> None:
        self._addresses = [_check_address(each.strip()) for each in address.split(",")]
        self._patience = patience
        self._on_retry = on_retry
        self._channels = [dial(each, TlsFiles.of_client(), token=token) for each in self._addresses]
        self._turn = 0

    @property
    def address(self) -> str:
        """The gateway that is asked now."""
        return self._addresses[self._turn]

    @property
    def stub(self) -> VideoServiceAsyncStub:
        """Its service."""
        return VideoServiceStub(self._channels[self._turn])

    async def close(self) -> None:
        """Close the channels; calls that still run are cancelled."""
        for channel in self._channels:
            await channel.close()

    async def connect(self, seconds: float) -> None:
        """Wait until a gateway accepts connections. Raises `Unavailable` as soon as all refuse them."""
        last = len(self._addresses) - 1
        for self._turn in range(last + 1):
            try:
                await self._connect(seconds)
            except Unavailable:
                if self._turn == last:
                    raise
            else:
                return

    async def _connect(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._connected(self._channels[self._turn])
        except TimeoutError:
            raise Unavailable(f"{self.address} does not answer") from None

    async def _connected(self, channel: grpc.aio.Channel) -> None:
        state = channel.get_state(try_to_connect=True)
        while state is not grpc.ChannelConnectivity.READY:
            if state is grpc.ChannelConnectivity.TRANSIENT_FAILURE:
                raise Unavailable(f"nothing answers at {self.address}")
            await channel.wait_for_state_change(state)
            state = channel.get_state(try_to_connect=True)

    async def ask(
        self,
        method: Callable[[VideoServiceAsyncStub], UnaryUnaryMultiCallable[Request, Response]],
        request: Request,
    ) -> Response:
        """One call with one answer, retried."""
        return await self.retried(lambda: method(self.stub)(request, timeout=CALL_SECONDS), self.backoff())

    def backoff(self) -> Backoff:
        """The waits of one call, as patient as this link is."""
        return Backoff(self._patience)

    async def retried(self, attempt: Callable[[], Awaitable[Response]], backoff: Backoff) -> Response:
        """Repeat `attempt` for as long as the gateway is unavailable and patience lasts."""
        while True:
            try:
                with translated():
                    return await attempt()
            except Unavailable as error:
                await self._pause(backoff, error)

    async def resumed(
        self,
        begin: Callable[[], UnaryStreamCall[Any, Response]],
        complete: Callable[[], Awaitable[bool]],
    ) -> AsyncGenerator[Response, None]:
        """Yield what the stream of `begin` brings, and call `begin` again when it breaks.

        A stream that ends of itself is asked about with `complete`, and begun again unless that was all.
        Raises `Unavailable` when patience ends.
        """
        backoff = self.backoff()
        while True:
            call = begin()
            try:
                with translated():
                    async for response in call:
                        backoff.heard()
                        yield response
                if await complete():
                    return
                ended = Unavailable("the gateway ended the stream early", 0.0)
            except Unavailable as error:
                ended = error
            finally:
                call.cancel()  # an abandoned call would go on on both sides
            await self._pause(backoff, ended)

    async def _pause(self, backoff: Backoff, error: Unavailable) -> None:
        now = asyncio.get_running_loop().time()
        alone = len(self._addresses) == 1
        wait = backoff.failed(now, random.random(), error.retry_after if alone else 0.0)
        if wait is None:
            raise error
        _log.info("%s: %s; trying again in %.1f s", self.address, error.message, wait)
        if self._on_retry is not None:
            self._on_retry(error, wait)
        self._turn = (self._turn + 1) % len(self._addresses)
        await asyncio.sleep(wait)


def _check_address(address: str) -> str:
    host, _, port = address.rpartition(":")
    if not host or "/" in host or not port.isdecimal() or not 1 <= int(port) <= 65535:
        raise BadInput("gateway", f"{address!r} is not HOST:PORT, such as localhost:50051")
    return address
