"""The one place where errors become statuses, calls are counted, and a service that is not ready refuses."""

from __future__ import annotations

import asyncio
import inspect
import logging
import time
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeAlias

import grpc
from grpc.aio import AbortError, ServerInterceptor, ServicerContext

from mouthpiece.errors import MouthpieceError, as_told
from mouthpiece.rpc import metrics, tracing
from mouthpiece.rpc.status import DETAILS_KEY, to_header

log = logging.getLogger(__name__)

Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"  # generic to type checkers only
Context = ServicerContext[Any, Any]
Admit = Callable[[str, Mapping[str, str]], None]

_HEARING_SECONDS = 0.5
"""For how long the messages of a refused call are taken: a small upload is over by then."""


class EdgeInterceptor(ServerInterceptor):
    """Wraps every call of our services; health and reflection pass untouched.

    `admit` gets the full name of a method and the call's headers, and raises for a call that is refused:
    because the service still loads or drains, or because of who calls.
    """

    def __init__(self, admit: Admit) -> None:
        self._admit = admit

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler | None:
        """Replace the handler by one that converts what it raises."""
        handler = await continuation(handler_call_details)
        method = handler_call_details.method
        if handler is None or not method.startswith("/mouthpiece."):
            return handler
        return self._wrap(handler, method)

    def _wrap(self, handler: Handler, method: str) -> Handler:
        make = {
            (False, False): grpc.unary_unary_rpc_method_handler,
            (False, True): grpc.unary_stream_rpc_method_handler,
            (True, False): grpc.stream_unary_rpc_method_handler,
            (True, True): grpc.stream_stream_rpc_method_handler,
        }[handler.request_streaming, handler.response_streaming]
        inner: Any = (
            handler.unary_unary or handler.unary_stream or handler.stream_unary or handler.stream_stream
        )
        wrapped = self._streaming(inner, method) if handler.response_streaming else self._unary(inner, method)
        return make(wrapped, handler.request_deserializer, handler.response_serializer)

    def _unary(self, inner: Any, method: str) -> Callable[[Any, Context], Awaitable[Any]]:
        async def call(request: Any, context: Context) -> Any:
            async with self._edge(method, request, context):
                return await inner(request, context)

        return call

    def _streaming(self, inner: Any, method: str) -> Callable[[Any, Context], AsyncIterator[Any]]:
        async def call(request: Any, context: Context) -> AsyncIterator[Any]:
            async with self._edge(method, request, context):
                stream = inner(request, context)
                try:
                    async for message in stream:
                        yield message
                finally:
                    if inspect.isasyncgen(stream):
                        await stream.aclose()

        return call

    @asynccontextmanager
    async def _edge(self, method: str, request: Any, context: Context) -> AsyncGenerator[None]:
        start = time.perf_counter()
        code = "OK"
        headers = _headers(context)
        metrics.call_started(method)
        span = _span(method, headers)
        try:
            self._admit(method, headers)
            yield
        except MouthpieceError as error:
            code = error.status
            if code == "INTERNAL":
                log.exception("%s failed", method)
            await _abort(request, context, error)
        except (asyncio.CancelledError, GeneratorExit):
            code = "CANCELLED"
            raise
        except AbortError:
            code = "ABORTED"
            raise
        except Exception as error:  # the edge: what nobody foresaw must not leak its text
            told = as_told(error)
            code = told.status
            log.exception("%s failed", method)
            await _abort(request, context, told)
        finally:
            metrics.call_ended(method, code, time.perf_counter() - start)
            span.note(**{"rpc.grpc.status_code": _number(code)})
            span.end("" if code == "OK" else code)


def _span(method: str, headers: Mapping[str, str]) -> tracing.Span:
    service, _, name = method[1:].partition("/")
    told = {"rpc.system": "grpc", "rpc.service": service, "rpc.method": name}
    return tracing.answer(method[1:], headers, told)


def _number(code: str) -> int:
    number: int = grpc.StatusCode[code].value[0]
    return number


def _headers(context: Context) -> dict[str, str]:
    """Text headers of a call; names are in lower case."""
    metadata = context.invocation_metadata() or ()
    return {key: value for key, value in metadata if isinstance(value, str)}


async def _abort(request: Any, context: Context, error: MouthpieceError) -> None:
    status = to_header(error)
    await _hear_out(request)
    await context.abort(
        grpc.StatusCode[error.status],
        status.message,
        ((DETAILS_KEY, status.SerializeToString()),),
    )


async def _hear_out(request: Any) -> None:
    """Take what a client has still to say, and throw it away.

    Clients in Python that are refused while they write hear INTERNAL instead of why (grpc issue 36066).
    """
    if isinstance(request, AsyncIterable):
        with suppress(TimeoutError):
            async with asyncio.timeout(_HEARING_SECONDS):
                async for _ in request:
                    pass
