"""The REST interface: each operation is one of VideoService, with the same answers and the same errors."""

from __future__ import annotations

import asyncio
import hashlib
import re
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request

from mouthpiece.v1.gateway_pb2 import GetJobRequest
from services.gateway.http.answers import as_dict
from services.gateway.http.files import disposition, wanted_part
from tests.support.gateway_fakes import FakeSuite, fake_suite, frame_lines
from tests.support.http_suite import client_of, ended, events_of, submitted


async def test_a_job_goes_from_upload_to_download(tmp_path: Path) -> None:
    async with fake_suite(tmp_path) as suite, client_of(suite) as client:
        face = (await client.post("/api/assets", content=b"a face")).json()["asset"]
        assert face == {"sha256": hashlib.sha256(b"a face").hexdigest(), "size_bytes": "6"}
        plan = await client.post("/api/plan", json={"text": "One.", "avatar_sha256": face["sha256"]})
        assert plan.json()["chunks"]
        job = await submitted(client, "One. Two.", avatar_sha256=face["sha256"], title="Größe/../7")
        assert await ended(client, job) == "JOB_STATE_DONE"
        answer = await client.get(f"/api/download/{job}")
        assert answer.content == frame_lines(100) == await suite.video(job)
        assert 'filename="Gre..7.mp4"' in answer.headers["content-disposition"]


async def test_a_finished_job_has_a_picture_that_browsers_may_keep(tmp_path: Path) -> None:
    async with fake_suite(tmp_path) as suite, client_of(suite) as client:
        job = await submitted(client, "One.")
        await ended(client, job)
        answer = await client.get(f"/api/poster/{job}.jpg")
        assert answer.content == b"a picture of 50 frames"
        assert answer.headers["content-type"] == "image/jpeg"
        assert "immutable" in answer.headers["cache-control"]
        poster = (await client.get(f"/api/jobs/{job}")).json()["result"]["poster"]["sha256"]
        await client.delete(f"/api/jobs/{job}")
        assert (await client.get(f"/api/poster/{job}.jpg")).status_code == 404
        assert not await suite.artifacts.has(poster)


async def test_what_http_tells_of_a_job_is_what_grpc_tells(tmp_path: Path) -> None:
    async with fake_suite(tmp_path) as suite, client_of(suite) as client:
        job = await submitted(client, "One.")
        await ended(client, job)
        over_grpc = (await suite.stub.GetJob(GetJobRequest(job_id=job))).job
        assert (await client.get(f"/api/jobs/{job}")).json() == as_dict(over_grpc)
        listed = (await client.get("/api/jobs", params={"state": "JOB_STATE_DONE"})).json()["jobs"]
        assert [each["id"] for each in listed] == [job]


async def test_the_same_key_gives_the_same_job(tmp_path: Path) -> None:
    async with fake_suite(tmp_path) as suite, client_of(suite) as client:
        headers = {"Idempotency-Key": "k1"}
        first, again = [
            await client.post("/api/jobs", json={"text": "One."}, headers=headers) for _ in range(2)
        ]
        assert first.json()["id"] == again.json()["id"]
        other = await client.post("/api/jobs", json={"text": "Two."}, headers=headers)
        assert (other.status_code, other.json()["error"]["status"]) == (409, "ALREADY_EXISTS")


async def test_an_upload_goes_on_where_it_broke_off(tmp_path: Path) -> None:
    content = bytes(range(256)) * 5000
    name = hashlib.sha256(content).hexdigest()
    async with fake_suite(tmp_path) as suite, client_of(suite) as client:
        size = {"size": len(content)}
        half = await client.put(f"/api/assets/{name}", params=size, content=content[:1000])
        assert half.status_code == 400
        assert (await client.get(f"/api/assets/{name}")).json() == {"offset": "1000"}
        rest = {**size, "offset": 1000}
        assert (
            await client.put(f"/api/assets/{name}", params=rest, content=content[1000:])
        ).status_code == 201
        assert (await client.get(f"/api/assets/{name}")).json()["complete"] is True


async def test_jobs_are_cancelled_and_forgotten(tmp_path: Path) -> None:
    async with fake_suite(tmp_path) as suite, client_of(suite) as client:
        for worker in suite.workers:
            worker.hold = asyncio.Event()
        job = await submitted(client, "One.")
        running = await client.delete(f"/api/jobs/{job}")
        assert (running.status_code, running.json()["error"]["details"][0]["reason"]) == (409, "JOB_RUNNING")
        early = await client.get(f"/api/download/{job}")
        assert (early.status_code, early.json()["error"]["details"][0]["reason"]) == (409, "JOB_NOT_DONE")
        assert (await client.post(f"/api/jobs/{job}/cancel")).json()["state"] == "JOB_STATE_CANCELLED"
        assert (await client.delete(f"/api/jobs/{job}")).status_code == 204
        assert (await client.get(f"/api/jobs/{job}")).status_code == 404


@pytest.fixture
async def done(tmp_path: Path):  # type: ignore[no-untyped-def]
    """A client, and a job that is done; its video is 290 bytes."""
    async with fake_suite(tmp_path) as suite, client_of(suite) as client:
        job = await submitted(client, "One. Two.")
        await ended(client, job)
        yield suite, client, f"/api/download/{job}"


@pytest.mark.parametrize(
    ("header", "status", "first", "end"),
    [
        ("bytes=0-9", 206, 0, 10),
        ("bytes=280-", 206, 280, 290),
        ("bytes=280-5000", 206, 280, 290),
        ("bytes=-5", 206, 285, 290),
        ("bytes=-5000", 206, 0, 290),
        ("bytes=0-0,5-9", 200, 0, 290),
        ("lines=0-1", 200, 0, 290),
        ("bytes=-", 200, 0, 290),
        ("bytes=290-", 416, 0, 0),
        ("bytes=9-3", 416, 0, 0),
        ("bytes=-0", 416, 0, 0),
    ],
)
async def test_ranges_are_served(
    done: tuple[FakeSuite, httpx.AsyncClient, str], header: str, status: int, first: int, end: int
) -> None:
    _, client, path = done
    whole = frame_lines(100)
    answer = await client.get(path, headers={"Range": header})
    assert (answer.status_code, answer.content) == (status, whole[first:end])
    assert answer.headers["content-length"] == str(end - first)
    if status == 206:
        assert answer.headers["content-range"] == f"bytes {first}-{end - 1}/{len(whole)}"


async def test_a_head_tells_size_and_version_without_sending(
    done: tuple[FakeSuite, httpx.AsyncClient, str],
) -> None:
    _, client, path = done
    head = await client.head(path)
    assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", "290")
    resumed = await client.get(path, headers={"Range": "bytes=5-", "If-Range": '"another version"'})
    assert resumed.status_code == 200
    kept = await client.get(path, headers={"Range": "bytes=5-", "If-Range": head.headers["etag"]})
    assert kept.status_code == 206


@given(size=st.integers(1, 1000), header=st.text("0123456789-=,bytes ", max_size=20))
def test_no_range_reaches_beyond_the_file(size: int, header: str) -> None:
    request = Request({"type": "http", "headers": [(b"range", b"bytes=" + header.encode())]})
    part = wanted_part(request, size, '"x"')
    assert 0 <= part.first <= part.end <= size
    assert part.status in {200, 206, 416}
    assert (part.status == 416) == (part.first == part.end)


@given(st.text(max_size=200))
def test_file_names_are_harmless_whatever_the_title(title: str) -> None:
    header = disposition(title, "j1")
    header.encode("ascii")
    match = re.fullmatch(
        r"attachment; filename=\"([^\"]*)\.mp4\"; filename\*=UTF-8''[\w.%~-]*\.mp4", header, re.ASCII
    )
    assert match
    assert not re.search(r"[/\\\r\n\x00-\x1f]", match[1])
    assert not match[1].startswith(".")


async def test_events_go_on_after_the_last_that_was_seen(tmp_path: Path) -> None:
    async with fake_suite(tmp_path) as suite, client_of(suite) as client:
        job = await submitted(client, "One.")
        every = [event async for event in events_of(client, job) if event.id]
        assert [event.id for event in every] == list(range(1, len(every) + 1))
        assert [event.id async for event in events_of(client, job, 3)] == [e.id for e in every[3:]]
        last = {"Last-Event-ID": str(every[-1].id)}
        assert (await client.get(f"/api/events/{job}", headers=last)).status_code == 204
        nonsense = {"Last-Event-ID": "9" * 5000}
        assert (await client.get(f"/api/events/{job}", headers=nonsense)).status_code == 200


async def test_the_cluster_is_shown_and_watched(tmp_path: Path) -> None:
    async with fake_suite(tmp_path) as suite, client_of(suite) as client:
        cluster = (await client.get("/api/cluster")).json()
        async with client.stream("GET", "/api/cluster/events") as answer:
            async for line in answer.aiter_lines():
                if line.startswith("event:"):
                    assert line == "event: cluster"
                    break
        assert len(cluster["workers"]) == 2
        assert (await client.get("/api/voices")).json()["voices"][0]["name"] == "fake"
        assert (await client.get("/api/engines")).json()["engines"][0]["name"] == "viseme"


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/api/jobs/jnone", None, 404),
        ("GET", "/api/nothing", None, 404),
        ("PATCH", "/api/jobs", None, 405),
        ("POST", "/api/jobs", b"{", 400),
        ("POST", "/api/jobs", b"\xff\xfe", 400),
        ("POST", "/api/jobs", b'{"no_such_field": 1}', 400),
        ("POST", "/api/jobs", b"[]", 400),
        ("POST", "/api/assets", b"", 400),
        ("GET", "/api/assets/not-a-hash", None, 400),
        ("GET", "/api/jobs?page_size=many", None, 400),
        ("GET", "/api/jobs?page_size=999999999999", None, 400),
        ("GET", "/api/jobs?state=HAPPY", None, 400),
        ("GET", "/api/events/jnone", None, 404),
        ("GET", "/../pyproject.toml", None, 404),
        ("GET", "/%2e%2e/app.py", None, 404),
    ],
)
async def test_what_cannot_be_done_is_told_as_json(
    tmp_path: Path, method: str, path: str, body: bytes | None, status: int
) -> None:
    async with fake_suite(tmp_path) as suite, client_of(suite) as client:
        answer = await client.request(method, path, content=body)
        assert answer.status_code == status
        assert answer.json()["error"]["message"]


async def test_a_method_that_a_path_lacks_is_told_the_others(tmp_path: Path) -> None:
    async with fake_suite(tmp_path) as suite, client_of(suite) as client:
        answer = await client.put("/api/jobs")
        assert set(answer.headers["allow"].split(", ")) == {"GET", "HEAD", "POST"}
        error = answer.json()["error"]
        assert (answer.status_code, error["code"]) == (405, 405)
        assert answer.headers["allow"] in error["message"]


@pytest.mark.parametrize(
    ("body", "field", "told"),
    [
        ({"txt": "Hi."}, "spec.txt", "there is no such field"),
        ({"text": 5}, "spec.text", "must be text"),
        ({"text": "Hi.", "captions": 1}, "spec.captions", "must be true or false"),
        ({"text": "Hi.", "width": "wide"}, "spec.width", "must be a whole number"),
        ({"text": "Hi.", "priority": "high"}, "spec.priority", "must be a number"),
        ({"text": "Hi.", "quality": "best"}, "spec.quality", "must be one of QUALITY_LOW, QUALITY_MEDIUM"),
        ({"text": "Hi.", "chunk_length": "2"}, "spec.chunk_length", 'must be a duration such as "1.5s"'),
        ({"text": "Hi.", "deadline": "soon"}, "spec.deadline", "must be a time such as"),
        ({"text": "Hi.", "fps": 25}, "spec.fps", "must be an object with numerator, denominator"),
        ({"text": "Hi.", "fps": {"numerator": "x"}}, "spec.fps.numerator", "must be a whole number"),
        ({"text": "Hi.", "fps": {"nominator": 1}}, "spec.fps.nominator", "there is no such field"),
        ({"text": "Hi.", "pronunciations": "x"}, "spec.pronunciations", "must be a list"),
    ],
)
async def test_a_field_that_cannot_be_read_is_named(
    tmp_path: Path, body: dict[str, object], field: str, told: str
) -> None:
    async with fake_suite(tmp_path) as suite, client_of(suite) as client:
        error = (await client.post("/api/jobs", json=body)).json()["error"]
    assert error["status"] == "INVALID_ARGUMENT"
    (violation,) = error["details"][0]["field_violations"]
    assert violation["field"] == field
    assert violation["description"].startswith(told)


async def test_a_busy_gateway_tells_when_to_come_back(tmp_path: Path) -> None:
    async with fake_suite(tmp_path) as suite:
        for index in range(2):
            await suite.stop_worker(index)
        suite.settings = suite.settings.model_copy(update={"workers": "127.0.0.1:1"})
        await suite.restart_gateway()
        async with client_of(suite) as back:
            answer = await back.post("/api/jobs", json={"text": "One."})
        assert (answer.status_code, answer.json()["error"]["status"]) == (503, "UNAVAILABLE")
        assert int(answer.headers["retry-after"]) >= 1


async def test_every_route_is_described(tmp_path: Path) -> None:
    async with fake_suite(tmp_path) as suite, client_of(suite) as client:
        document = (await client.get("/openapi.json")).json()
        described = {(path, method.upper()) for path, item in document["paths"].items() for method in item}
        endpoints = suite.http.endpoints()
        assert described == {(endpoint.path, endpoint.method) for endpoint in endpoints}
        assert len(described) == len(endpoints)
        for path, method in described:
            url = re.sub(r"{\w+}", "x", path)
            assert (await client.request("OPTIONS", url)).status_code == 405, (method, path)
        names = re.findall(r"#/components/schemas/(\w+)", str(document))
        assert set(names) <= document["components"]["schemas"].keys()


async def test_answers_carry_a_strict_policy_and_the_page_keeps_to_it(tmp_path: Path) -> None:
    async with fake_suite(tmp_path) as suite, client_of(suite) as client:
        for path in ("/", "/app.js", "/api/jobs", "/api/nothing"):
            headers = (await client.get(path)).headers
            policy = headers["content-security-policy"]
            assert "default-src 'none'" in policy
            assert "unsafe" not in policy
            assert headers["x-content-type-options"] == "nosniff"
        page = (await client.get("/")).text
        assert not re.search(r"<script(?![^>]*\bsrc=)|\son\w+=|\sstyle=|javascript:|https?://", page)


async def test_pages_of_other_sites_may_not_act(tmp_path: Path) -> None:
    async with fake_suite(tmp_path) as suite, client_of(suite) as client:
        body = {"text": "One."}
        foreign = await client.post("/api/jobs", json=body, headers={"Origin": "https://evil.example"})
        assert (foreign.status_code, foreign.json()["error"]["status"]) == (403, "PERMISSION_DENIED")
        own = await client.post("/api/jobs", json=body, headers={"Origin": suite.http_url})
        assert own.status_code == 202
