from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path

import grpc.aio
import pytest

from mouthpiece.errors import BadInput, Busy, DataLoss, MouthpieceError
from mouthpiece.rpc.status import from_rpc_error
from mouthpiece.v1 import gateway_pb2 as pb
from tests.support.gateway_fakes import FakeSuite, fake_suite

CONTENT = bytes(range(256)) * 2000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
async def suite(tmp_path: Path) -> AsyncGenerator[FakeSuite]:
    async with fake_suite(tmp_path, workers=1, max_upload_bytes=1_000_000) as running:
        yield running


def messages(
    content: bytes, sha256: str = SHA256, size: int = len(CONTENT), offset: int = 0
) -> Iterator[pb.UploadAssetRequest]:
    yield pb.UploadAssetRequest(header=pb.UploadHeader(sha256=sha256, size_bytes=size, offset=offset))
    for first in range(0, len(content), 65536):
        yield pb.UploadAssetRequest(data=content[first : first + 65536])


async def refusal(suite: FakeSuite, requests: Iterator[pb.UploadAssetRequest]) -> MouthpieceError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await suite.stub.UploadAsset(requests)
    return from_rpc_error(caught.value)


async def test_an_uploaded_file_is_stored_under_its_hash(suite: FakeSuite) -> None:
    asset = (await suite.stub.UploadAsset(messages(CONTENT))).asset
    assert (asset.sha256, asset.size_bytes) == (SHA256, len(CONTENT))
    assert await suite.artifacts.get_bytes(SHA256) == CONTENT
    assert (await suite.stub.QueryUpload(pb.QueryUploadRequest(sha256=SHA256))).complete


async def test_a_broken_upload_goes_on_where_it_stopped(suite: FakeSuite) -> None:
    assert isinstance(await refusal(suite, messages(CONTENT[:100_000])), BadInput)
    query = await suite.stub.QueryUpload(pb.QueryUploadRequest(sha256=SHA256))
    assert (query.offset, query.complete) == (100_000, False)
    asset = (await suite.stub.UploadAsset(messages(CONTENT[100_000:], offset=100_000))).asset
    assert asset.sha256 == SHA256


async def test_an_upload_that_another_one_completed_is_answered_with_the_whole(suite: FakeSuite) -> None:
    half, both_there = 3 * 65536, asyncio.Event()

    async def first() -> AsyncGenerator[pb.UploadAssetRequest]:
        for message in messages(CONTENT[:half]):
            yield message
        await both_there.wait()
        yield pb.UploadAssetRequest(data=CONTENT[half:])

    async def second() -> AsyncGenerator[pb.UploadAssetRequest]:
        for message in messages(CONTENT[half:], offset=half):
            yield message
            both_there.set()

    one = asyncio.ensure_future(suite.stub.UploadAsset(first(), timeout=20))
    query = pb.QueryUploadRequest(sha256=SHA256)
    while True:
        if (await suite.stub.QueryUpload(query, timeout=20)).offset == half:
            break
    other = asyncio.ensure_future(suite.stub.UploadAsset(second(), timeout=20))
    answers = await asyncio.gather(one, other)
    assert {answer.asset.sha256 for answer in answers} == {SHA256}


async def test_content_with_another_hash_is_discarded(suite: FakeSuite) -> None:
    error = await refusal(suite, messages(CONTENT[::-1]))
    assert isinstance(error, DataLoss)
    assert (await suite.stub.QueryUpload(pb.QueryUploadRequest(sha256=SHA256))).offset == 0
    assert not list((suite.data / "uploads").iterdir())


@pytest.mark.parametrize(
    ("requests", "field"),
    [
        (messages(b"", size=0), "header.size_bytes"),
        (messages(CONTENT, size=1_000_001), "header.size_bytes"),
        (messages(CONTENT, offset=5), "header.offset"),
        (messages(CONTENT + b"x"), "data"),
        (messages(CONTENT, sha256="zz"), "header.sha256"),
        (iter([pb.UploadAssetRequest(data=b"x")]), "header"),
        (iter([]), "header"),
    ],
)
async def test_a_wrong_upload_is_refused_with_its_field(
    suite: FakeSuite, requests: Iterator[pb.UploadAssetRequest], field: str
) -> None:
    error = await refusal(suite, requests)
    assert isinstance(error, BadInput)
    assert error.violations[0].field == field


async def test_without_room_on_the_disk_jobs_and_uploads_are_refused_before_anything_is_written(
    tmp_path: Path,
) -> None:
    async with fake_suite(tmp_path, workers=1, min_free_bytes=1 << 60) as suite:
        refused = await refusal(suite, messages(CONTENT))
        assert isinstance(refused, Busy)
        assert refused.retry_after > 0
        assert "disk is nearly full" in refused.message
        assert (await suite.stub.QueryUpload(pb.QueryUploadRequest(sha256=SHA256))).offset == 0
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await suite.stub.SubmitJob(pb.SubmitJobRequest(spec=pb.JobSpec(text="Hello.")))
        assert isinstance(from_rpc_error(caught.value), Busy)
        assert not (await suite.stub.ListJobs(pb.ListJobsRequest())).jobs


async def test_a_client_that_goes_on_writing_hears_why_it_was_refused(suite: FakeSuite) -> None:
    async def long_winded() -> AsyncGenerator[pb.UploadAssetRequest]:
        for message in messages(CONTENT * 4, offset=5):
            yield message
            await asyncio.sleep(0)

    for _ in range(30):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await suite.stub.UploadAsset(long_winded())
        assert isinstance(from_rpc_error(caught.value), BadInput)
