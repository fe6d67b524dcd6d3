"""Who may do what through a real gateway: every method, with every kind of token, over gRPC and HTTP."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncGenerator, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc.aio
import httpx
import pytest
from prometheus_client import REGISTRY

from mouthpiece.keys import hash_token, new_token
from mouthpiece.rpc.channel import dial
from mouthpiece.rpc.status import from_rpc_error
from mouthpiece.v1 import gateway_pb2 as pb
from mouthpiece.v1.gateway_pb2_grpc import VideoServiceStub
from services.gateway.access import Scope
from services.gateway.access.callers import SCOPES
from tests.support.gateway_fakes import FakeSuite, fake_suite

FACE = b"a face" * 1000
FRESH = pb.JobSpec(text="Three. Four.", ignore_cache=True)
FACE_SHA256 = hashlib.sha256(FACE).hexdigest()
SPEC = pb.JobSpec(text="One. Two.")
OF_A_JOB = {"WatchJob", "GetJob", "CancelJob", "DeleteJob", "DownloadVideo"}
"""Methods that name a job, which must be the caller's."""


@dataclass
class House:
    """A gateway with two tenants, tokens of every kind, and a finished job of the first tenant."""

    suite: FakeSuite
    tokens: dict[str, str]
    stack: AsyncExitStack
    job: str = ""

    async def stub(self, token: str) -> Any:
        channel = dial(self.suite.address, token=self.tokens.get(token, token))
        return VideoServiceStub(await self.stack.enter_async_context(channel))

    async def finish(self, spec: pb.JobSpec = SPEC, token: str = "good") -> str:
        job = ""
        async for message in (await self.stub(token)).GenerateVideo(pb.GenerateVideoRequest(spec=spec)):
            job = message.event.job_id
        return str(job)


def write_access(path: Path) -> dict[str, str]:
    """Two tenants, and a key of each kind."""
    kinds: dict[str, tuple[str, tuple[str, ...]]] = {
        "good": ("news", tuple(Scope)),
        "other": ("sport", tuple(Scope)),
        "small": ("small", tuple(Scope)),
        "expired": ("news", tuple(Scope)),
        "reader": ("news", ("read",)),
        "writer": ("news", ("write",)),
        "admin": ("news", ("admin",)),
    }
    lines = ["[tenants.news]", "[tenants.sport]", "[tenants.small]", "max_jobs = 1", 'class = "few"']
    tokens = {name: new_token(name) for name in kinds}
    for name, (tenant, scopes) in kinds.items():
        lines += ["[[keys]]", f'name = "{name}"', f'tenant = "{tenant}"', f"scopes = {json.dumps(scopes)}"]
        lines += [f'sha256 = "{hash_token(tokens[name])}"']
        if name == "expired":
            lines.append(f"expires = {(datetime.now(UTC) - timedelta(hours=1)).isoformat()}")
    path.write_text("\n".join(lines))
    return tokens


@pytest.fixture
async def house(tmp_path: Path) -> AsyncGenerator[House]:
    tokens = write_access(tmp_path / "access.toml")
    async with AsyncExitStack() as stack:
        running = fake_suite(tmp_path / "data", access=tmp_path / "access.toml")
        suite = await stack.enter_async_context(running)
        house = House(suite, tokens, stack)
        house.job = await house.finish()
        yield house


def upload(content: bytes = FACE) -> Iterator[pb.UploadAssetRequest]:
    sha256 = hashlib.sha256(content).hexdigest()
    yield pb.UploadAssetRequest(header=pb.UploadHeader(sha256=sha256, size_bytes=len(content)))
    yield pb.UploadAssetRequest(data=content)


async def call(stub: Any, method: str, job: str) -> str:
    """Call a method as a client would; the status that comes back."""
    requests: dict[str, Any] = {
        "UploadAsset": upload(),
        "QueryUpload": pb.QueryUploadRequest(sha256=FACE_SHA256),
        "SubmitJob": pb.SubmitJobRequest(spec=SPEC),
        "GenerateVideo": pb.GenerateVideoRequest(spec=SPEC),
        "PlanJob": pb.PlanJobRequest(spec=SPEC),
    }
    made = requests.get(method) or getattr(pb, f"{method}Request")(
        **({"job_id": job} if method in OF_A_JOB else {})
    )
    answer: Any = getattr(stub, method)(made)
    try:
        if hasattr(answer, "__aiter__"):
            async for _ in answer:
                break
            answer.cancel()
        else:
            await answer
    except grpc.aio.AioRpcError as error:
        return error.code().name
    return "OK"


def expected(method: str, token: str) -> str:
    """What a method answers to a kind of token."""
    if token in {"", "bad", "expired"}:
        return "UNAUTHENTICATED"
    scopes = {"reader": {Scope.READ}, "writer": {Scope.WRITE}, "admin": {Scope.ADMIN}}.get(token, set(Scope))
    if SCOPES[method] not in scopes:
        return "PERMISSION_DENIED"
    return "NOT_FOUND" if token == "other" and method in OF_A_JOB else "OK"


async def test_every_method_answers_every_kind_of_token_as_it_should(house: House) -> None:
    found: dict[tuple[str, str], str] = {}
    for token in ("", "bad", "expired", "other", "reader", "writer", "admin", "good"):
        stub = await house.stub(token)
        for method in SCOPES:
            job = await house.finish() if method == "DeleteJob" and token in {"good", "writer"} else house.job
            found[method, token] = await call(stub, method, job)
    assert found == {pair: expected(*pair) for pair in found}


async def test_a_tenant_sees_its_own_jobs_only(house: House) -> None:
    theirs = await house.finish(token="other")
    for token, own in (("good", house.job), ("other", theirs)):
        jobs = (await (await house.stub(token)).ListJobs(pb.ListJobsRequest())).jobs
        assert [job.id for job in jobs] == [own]


async def test_a_hash_alone_opens_no_asset(house: House) -> None:
    await (await house.stub("good")).UploadAsset(upload())
    other = await house.stub("other")
    assert not (await other.QueryUpload(pb.QueryUploadRequest(sha256=FACE_SHA256))).complete
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await other.SubmitJob(pb.SubmitJobRequest(spec=pb.JobSpec(text="Hello.", avatar_sha256=FACE_SHA256)))
    assert "no such asset" in from_rpc_error(refused.value).message
    assert await house.suite.artifacts.has(FACE_SHA256), "a refusal must not cost the owner his file"
    await other.UploadAsset(upload())
    assert (await other.QueryUpload(pb.QueryUploadRequest(sha256=FACE_SHA256))).complete


async def test_an_upload_is_not_gone_on_with_by_another_tenant(house: House) -> None:
    half = iter([next(upload()), pb.UploadAssetRequest(data=FACE[:2000])])
    with pytest.raises(grpc.aio.AioRpcError):
        await (await house.stub("good")).UploadAsset(half)
    query = pb.QueryUploadRequest(sha256=FACE_SHA256)
    assert (await (await house.stub("good")).QueryUpload(query)).offset == 2000
    assert (await (await house.stub("other")).QueryUpload(query)).offset == 0


async def test_request_ids_of_tenants_do_not_meet(house: House) -> None:
    request = pb.SubmitJobRequest(spec=SPEC, request_id="same")
    mine = (await (await house.stub("good")).SubmitJob(request)).job.id
    theirs = (await (await house.stub("other")).SubmitJob(request)).job.id
    again = (await (await house.stub("good")).SubmitJob(request)).job.id
    assert mine == again != theirs


async def test_a_tenant_has_no_more_jobs_at_a_time_than_it_may(house: House) -> None:
    go_on = asyncio.Event()
    for worker in house.suite.workers:
        worker.hold = go_on
    small = await house.stub("small")
    await small.SubmitJob(pb.SubmitJobRequest(spec=FRESH))
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await small.SubmitJob(pb.SubmitJobRequest(spec=FRESH))
    assert from_rpc_error(refused.value).status == "RESOURCE_EXHAUSTED"
    await (await house.stub("good")).SubmitJob(pb.SubmitJobRequest(spec=FRESH))
    go_on.set()


async def test_jobs_that_wait_are_counted_by_the_class_of_their_tenant(house: House) -> None:
    def waiting(tenant_class: str) -> tuple[float, bool]:
        named = {"tenant_class": tenant_class}
        count = REGISTRY.get_sample_value("mouthpiece_gateway_waiting_jobs", named)
        age = REGISTRY.get_sample_value("mouthpiece_gateway_oldest_waiting_seconds", named)
        return count or 0, bool(age)

    go_on = asyncio.Event()
    for worker in house.suite.workers:
        worker.hold = go_on
        worker.began.clear()
    standard = waiting("standard")
    await (await house.stub("good")).SubmitJob(pb.SubmitJobRequest(spec=FRESH))
    for worker in house.suite.workers:
        await asyncio.wait_for(worker.began.wait(), 20)
    stub = await house.stub("small")
    job = (await stub.SubmitJob(pb.SubmitJobRequest(spec=FRESH))).job
    assert waiting("few") == (1, True)
    assert waiting("standard") == standard
    go_on.set()
    async for _ in stub.WatchJob(pb.WatchJobRequest(job_id=job.id), timeout=60):
        pass
    assert waiting("few") == (0, False)


async def test_http_asks_for_the_same_tokens(house: House) -> None:
    async with httpx.AsyncClient(base_url=house.suite.http_url) as http:
        path = f"/api/jobs/{house.job}"
        statuses = {
            name: (await http.get(path, headers={"x-api-key": token})).status_code
            for name, token in {**house.tokens, "": "", "bad": "mp_good_guess"}.items()
        }
    assert statuses == {
        "good": 200,
        "reader": 200,
        "other": 404,
        "small": 404,
        "writer": 403,
        "admin": 403,
        "expired": 401,
        "": 401,
        "bad": 401,
    }
