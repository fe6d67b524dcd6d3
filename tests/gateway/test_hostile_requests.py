"""Whatever stands in a request, the gateway answers or refuses; nothing of it is an internal error."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc.aio
import pytest

from mouthpiece.v1 import gateway_pb2 as pb
from tests.support.gateway_fakes import FakeSuite
from tests.support.nasty_messages import nasty, with_one_nasty

UNFORESEEN = {grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN, grpc.StatusCode.DEADLINE_EXCEEDED}
STREAMS = {"WatchJob", "DownloadVideo"}
CALLS = 40


async def outcome(stub: Any, method: str, request: Any) -> grpc.StatusCode:
    call = getattr(stub, method)(request, timeout=20)
    try:
        if method in STREAMS:
            async for _ in call:
                break
            call.cancel()
        else:
            await call
    except grpc.aio.AioRpcError as error:
        return error.code()
    return grpc.StatusCode.OK


def sound(kind: type[Any]) -> Any:
    """A request that would be fine."""
    if "spec" not in kind.DESCRIPTOR.fields_by_name:
        return kind()
    return kind(spec=pb.JobSpec(text="One. Two."))


@pytest.mark.parametrize(
    "method",
    [
        *("QueryUpload", "SubmitJob", "PlanJob", "GetJob", "ListJobs", "WatchJob", "CancelJob", "DeleteJob"),
        *("DownloadVideo", "ListVoices"),
    ],
)
async def test_requests_with_anything_in_them(suite: FakeSuite, method: str) -> None:
    kind: Any = getattr(pb, f"{method}Request")
    requests = [nasty(kind, seed) for seed in range(CALLS)]
    requests += [with_one_nasty(sound(kind), seed) for seed in range(CALLS)]
    found = await asyncio.gather(*(outcome(suite.stub, method, request) for request in requests))
    wrong = [request for request, code in zip(requests, found, strict=True) if code in UNFORESEEN]
    assert not wrong


async def end(suite: FakeSuite, request: pb.GenerateVideoRequest) -> pb.JobState.ValueType | None:
    """How the job ends that a request makes; None when it is refused as it should be."""
    last = None
    try:
        async for message in suite.stub.GenerateVideo(request, timeout=60):
            last = message.event.state.state or last
    except grpc.aio.AioRpcError as error:
        if error.code() in UNFORESEEN:
            raise
    return last


async def test_jobs_with_anything_in_them_are_refused_or_come_to_an_end(suite: FakeSuite) -> None:
    asked = [with_one_nasty(sound(pb.GenerateVideoRequest), seed) for seed in range(2 * CALLS)]
    assert set(await asyncio.gather(*(end(suite, each) for each in asked))) == {None, pb.JOB_STATE_DONE}
