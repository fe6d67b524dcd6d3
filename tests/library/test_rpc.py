from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import grpc.aio
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2
from prometheus_client import REGISTRY

from mouthpiece.errors import (
    AlreadyExists,
    BadInput,
    Busy,
    DataLoss,
    Forbidden,
    MouthpieceError,
    NotFound,
    Reason,
    Unauthenticated,
    Unavailable,
    Unmet,
    Violation,
)
from mouthpiece.rpc.channel import dial, is_serving
from mouthpiece.rpc.server import Program, serving
from mouthpiece.rpc.status import from_proto, from_rpc_error, to_proto
from mouthpiece.v1 import merger_pb2, merger_pb2_grpc
from tests.support.gateway_fakes import FakeMerger

ERRORS = [
    MouthpieceError("broken"),
    BadInput("spec.text", "is empty", Violation("spec.fps", "is odd")),
    Unmet(Reason.NO_FACE, "nobody there"),
    NotFound("no job"),
    AlreadyExists("used"),
    Unauthenticated("who?"),
    Forbidden("not you"),
    Busy("full", 2.5),
    Unavailable("draining", 0.25),
    DataLoss("damaged"),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_an_error_comes_back_as_what_it_was(error: MouthpieceError) -> None:
    back = from_proto(to_proto(error))
    assert type(back) is type(error)
    assert back.message == error.message
    assert vars(back) == vars(error)


LONG = [
    BadInput("spec.text", "9" * 100_000),
    BadInput("f" * 9000, "wrong", *(Violation(f"spec.field_{n}", "ж" * 900) for n in range(50))),
    BadInput("spec.text", "is empty", *(Violation(f"spec.field_{n}", "is odd") for n in range(20))),
    MouthpieceError("ж" * 50_000),
    Busy("🎉" * 50_000, 2.5),
]


@pytest.mark.parametrize("error", LONG, ids=lambda error: error.message[:9])
async def test_an_error_of_any_length_comes_back_as_what_it_was(error: MouthpieceError) -> None:
    merger = Merger()
    merger.error = error
    async with serving(program(merger), "127.0.0.1", 0, 1) as running, dial(running.address) as channel:
        stub = merger_pb2_grpc.MergerServiceStub(channel)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await anext(aiter(stub.Merge(iter([merger_pb2.MergeRequest()]), timeout=20)))
    told = from_rpc_error(caught.value)
    assert type(told) is type(error)
    assert told.message[:90] == error.message[:90]
    if isinstance(told, BadInput) and isinstance(error, BadInput):
        assert [v.field[:90] for v in told.violations] == [
            v.field[:90] for v in error.violations[: len(told.violations)]
        ]
        assert len(told.violations) > 1 or len(error.violations) == 1


def test_a_call_that_broke_off_while_it_was_written_can_be_repeated() -> None:
    none = grpc.aio.Metadata()
    error = grpc.aio.AioRpcError(grpc.StatusCode.INTERNAL, none, none, "Internal error from Core")
    assert isinstance(from_rpc_error(error), Unavailable)


class Merger(FakeMerger):
    """Answers every call with an error, or waits."""

    def __init__(self) -> None:
        self.error: BaseException | None = None
        self.loading = asyncio.Event()
        self.loading.set()
        self.closed = False
        self.waiting = asyncio.Event()

    async def load(self) -> None:
        await self.loading.wait()

    async def close(self) -> None:
        self.closed = True

    async def Merge(self, request_iterator: Any, context: Any) -> AsyncGenerator[merger_pb2.MergeResponse]:
        if self.error is not None:
            raise self.error
        self.waiting.set()
        yield merger_pb2.MergeResponse()
        await asyncio.Event().wait()


def program(merger: Merger) -> Program:
    def register(server: grpc.aio.Server) -> None:
        merger_pb2_grpc.add_MergerServiceServicer_to_server(merger, server)

    return Program("mouthpiece.v1.MergerService", merger, register)


async def first_answer(channel: grpc.aio.Channel) -> MouthpieceError | None:
    call = merger_pb2_grpc.MergerServiceStub(channel).Merge(iter([]))
    try:
        async for _ in call:
            return None
    except grpc.aio.AioRpcError as error:
        return from_rpc_error(error)
    finally:
        call.cancel()
    return None


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
async def test_what_a_servicer_raises_reaches_the_caller_with_its_details(error: MouthpieceError) -> None:
    merger = Merger()
    merger.error = error
    async with serving(program(merger), "127.0.0.1", 0, 1) as running, dial(running.address) as channel:
        answer = await first_answer(channel)
    assert answer is not None
    assert vars(answer) == vars(error)


async def test_an_unforeseen_error_does_not_leak_its_text() -> None:
    merger = Merger()
    merger.error = RuntimeError("password is swordfish")
    async with serving(program(merger), "127.0.0.1", 0, 1) as running, dial(running.address) as channel:
        answer = await first_answer(channel)
    assert answer is not None
    assert answer.status == "INTERNAL"
    assert "swordfish" not in answer.message


async def is_alive(channel: grpc.aio.Channel) -> bool:
    request = health_pb2.HealthCheckRequest(service="grpc.health.v1.Health")
    stub: Any = health_pb2_grpc.HealthStub(channel)
    answer = await stub.Check(request, timeout=5)
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


async def test_a_service_that_loads_is_alive_but_not_serving_and_refuses_for_now() -> None:
    merger = Merger()
    merger.loading.clear()
    ready = asyncio.Event()
    port = asyncio.get_running_loop().create_future()

    async def run() -> None:
        async with serving(program(merger), "127.0.0.1", await port, 1):
            ready.set()

    task = asyncio.create_task(run())
    async with serving(program(Merger()), "127.0.0.1", 0, 1) as other:
        free = other.port
    port.set_result(free)
    async with dial(f"127.0.0.1:{free}") as channel:
        await asyncio.wait_for(channel.channel_ready(), 10)
        assert not await is_serving(channel, 5)
        assert await is_alive(channel)
        assert isinstance(await first_answer(channel), Unavailable)
        merger.loading.set()
        await asyncio.wait_for(ready.wait(), 10)
    await task
    assert merger.closed


async def test_two_services_cannot_share_a_port() -> None:
    async with serving(program(Merger()), "127.0.0.1", 0, 1) as running:
        with pytest.raises(MouthpieceError, match="port taken"):
            async with serving(program(Merger()), "127.0.0.1", running.port, 1):
                pass


async def test_reflection_names_the_service() -> None:
    async with serving(program(Merger()), "127.0.0.1", 0, 1) as running, dial(running.address) as channel:
        ask = channel.stream_stream(
            "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
            request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
            response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
        )
        names: set[str] = set()
        async for answer in ask(iter([reflection_pb2.ServerReflectionRequest(list_services="")])):
            names |= {service.name for service in answer.list_services_response.service}
    assert {"mouthpiece.v1.MergerService", "grpc.health.v1.Health"} <= names


async def test_calls_are_counted_by_method_and_status() -> None:
    def count() -> float:
        labels = {"method": "/mouthpiece.v1.MergerService/Merge", "code": "NOT_FOUND"}
        return REGISTRY.get_sample_value("mouthpiece_rpc_handled_total", labels) or 0.0

    before = count()
    merger = Merger()
    merger.error = NotFound("nothing")
    async with serving(program(merger), "127.0.0.1", 0, 1) as running, dial(running.address) as channel:
        await first_answer(channel)
    assert count() == before + 1
