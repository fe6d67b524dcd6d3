# ruff: noqa: ASYNC240 - the files are small

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, aclosing
from pathlib import Path

import pytest

from mouthpiece.client import Client, JobCancelled, JobFailed, Patience, VideoOptions
from mouthpiece.errors import BadInput, Busy, DataLoss, NotFound, Reason, Unavailable, Unmet
from mouthpiece.v1 import gateway_pb2
from tests.support.cli_fake_gateway import EAGER, VIDEO, FakeGateway, Knobs


async def finished_job(client: Client) -> gateway_pb2.Job:
    job = await client.submit(VideoOptions().spec(text="Hello."))
    return await client.follow(job.id)


# ---------------------------------------------------------------- generate


async def test_words_and_a_face_become_a_file(
    gateway: FakeGateway, client: Client, portrait: Path, tmp_path: Path
) -> None:
    out = tmp_path / "hello.mp4"
    events: list[gateway_pb2.JobEvent] = []
    job = await client.generate(out, text="Hello.", avatar=portrait, on_event=events.append)
    assert out.read_bytes() == VIDEO
    assert job.state == gateway_pb2.JOB_STATE_DONE
    assert gateway.assets[job.spec.avatar_sha256] == portrait.read_bytes()
    assert [e.sequence for e in events if e.sequence] == list(range(1, job.last_sequence + 1))


async def test_a_recording_travels_with_its_words(
    gateway: FakeGateway, client: Client, portrait: Path, tmp_path: Path
) -> None:
    job = await client.generate(tmp_path / "out.mp4", text="What it says.", audio=portrait)
    assert job.spec.text == "What it says."
    assert gateway.assets[job.spec.audio_sha256] == portrait.read_bytes()


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"text": "  "}, "text"),
        ({"text": "Hi.", "avatar": "missing.png"}, "avatar"),
        ({"audio": "missing.wav"}, "audio"),
        ({"text": "Hi.", "avatar": "."}, "avatar"),
    ],
)
async def test_what_is_wrong_on_this_side_is_found_before_anything_is_sent(
    gateway: FakeGateway, client: Client, tmp_path: Path, arguments: dict[str, str], field: str
) -> None:
    with pytest.raises(BadInput) as raised:
        await client.generate(
            tmp_path / "out.mp4",
            text=arguments.get("text", ""),
            audio=arguments.get("audio"),
            avatar=arguments.get("avatar"),
        )
    assert raised.value.violations[0].field == field
    assert gateway.calls == []


@pytest.mark.parametrize("name", [".", "missing/out.mp4", "/dev/null"])
async def test_an_output_that_cannot_be_written_is_found_before_anything_is_sent(
    gateway: FakeGateway, client: Client, tmp_path: Path, name: str
) -> None:
    with pytest.raises(BadInput) as raised:
        await client.generate(tmp_path / name, text="Hi.")
    assert raised.value.violations[0].field == "output"
    assert gateway.calls == []


async def test_a_failed_job_is_an_error_that_says_why(
    client: Client, gateway: FakeGateway, tmp_path: Path
) -> None:
    gateway.knobs.fails = "three workers failed frames 0 to 100"
    with pytest.raises(JobFailed, match="three workers failed") as raised:
        await client.generate(tmp_path / "out.mp4", text="Hi.")
    assert raised.value.job.state == gateway_pb2.JOB_STATE_FAILED
    assert list(tmp_path.iterdir()) == []


async def test_a_caller_who_gives_up_cancels_the_job(
    client: Client, gateway: FakeGateway, tmp_path: Path
) -> None:
    gateway.knobs.endless = True
    begun = asyncio.Event()
    work = asyncio.create_task(
        client.generate(tmp_path / "out.mp4", text="Hi.", on_event=lambda _event: begun.set())
    )
    await begun.wait()
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    (stored,) = gateway.jobs.values()
    assert stored.job.state == gateway_pb2.JOB_STATE_CANCELLED


async def test_a_job_that_someone_else_cancels_is_an_error(
    client: Client,
    gateway: FakeGateway,
) -> None:
    gateway.knobs.endless = True
    job = await client.submit(VideoOptions().spec(text="Hi."))
    await client.cancel(job.id)
    with pytest.raises(JobCancelled):
        await client.follow(job.id)


# ---------------------------------------------------------------- calls


async def test_a_gateway_that_is_away_for_a_moment_goes_unnoticed(
    client: Client, gateway: FakeGateway
) -> None:
    gateway.knobs.refuse_calls = 4
    heard: list[Unavailable] = []
    async with Client(gateway.address, patience=EAGER, on_retry=lambda e, _wait: heard.append(e)) as patient:
        job = await patient.submit(VideoOptions().spec(text="Hi."))
    assert len(heard) == 4
    assert gateway.jobs.keys() == {job.id}


async def test_one_submission_is_one_job_however_often_it_is_tried(
    client: Client, gateway: FakeGateway
) -> None:
    spec = VideoOptions().spec(text="Hi.")
    first = await client.submit(spec, request_id="mine")
    assert (await client.submit(spec, request_id="mine")).id == first.id
    assert len(gateway.jobs) == 1


async def test_patience_ends_with_unavailable() -> None:
    async with Client("127.0.0.1:1", patience=Patience(0.05, 0.01, 0.01)) as client:
        with pytest.raises(Unavailable):
            await client.cluster()


async def test_a_refused_connection_is_said_at_once() -> None:
    async with Client("127.0.0.1:1") as client:
        with pytest.raises(Unavailable, match="nothing answers"):
            await client.connect(20.0)


async def test_a_gateway_that_is_there_is_found(client: Client) -> None:
    await client.connect()


@pytest.mark.parametrize("address", ["localhost", "localhost:", ":50051", "localhost:port", "host:70000"])
async def test_an_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(BadInput) as raised:
        Client(address)
    assert raised.value.violations[0].field == "gateway"


async def test_refusals_arrive_as_errors_of_the_tree(
    client: Client,
    gateway: FakeGateway,
) -> None:
    spec = VideoOptions().spec(text="Hi.")
    gateway.knobs.refuses = "no_face"
    with pytest.raises(Unmet) as unmet:
        await client.submit(spec)
    assert unmet.value.reason is Reason.NO_FACE
    gateway.knobs.refuses = "busy"
    with pytest.raises(Busy) as busy:
        await client.submit(spec)
    assert busy.value.retry_after == 30
    gateway.knobs.refuses = "engine"
    with pytest.raises(BadInput) as bad:
        await client.plan(spec)
    assert bad.value.violations[0].field == "spec.engine"


async def test_jobs_are_listed_newest_first_over_pages(client: Client) -> None:
    ids = [(await finished_job(client)).id for _ in range(5)]
    assert [job.id for job in await client.list_jobs()] == ids[::-1]
    assert [job.id for job in await client.list_jobs(limit=3)] == ids[:1:-1]
    assert [job.id for job in await client.list_jobs(["done"])] == ids[::-1]
    assert await client.list_jobs(["failed", "queued"]) == []


async def test_a_state_that_does_not_exist_is_refused(client: Client) -> None:
    with pytest.raises(BadInput, match="queued, speaking"):
        await client.list_jobs(["finished"])


async def test_a_job_can_be_forgotten_once_it_has_ended(
    client: Client,
    gateway: FakeGateway,
) -> None:
    gateway.knobs.endless = True
    job = await client.submit(VideoOptions().spec(text="Hi."))
    with pytest.raises(Unmet, match="cancel it first"):
        await client.delete(job.id)
    await client.cancel(job.id)
    await client.delete(job.id)
    with pytest.raises(NotFound):
        await client.get_job(job.id)


async def test_the_suite_can_be_looked_at(client: Client) -> None:
    assert [voice.name for voice in await client.voices("ru")] == ["ru"]
    assert [engine.name for engine in await client.engines()] == ["viseme"]
    assert (await client.cluster()).running_jobs == 1
    plan = await client.plan(VideoOptions().spec(text="Hi."))
    assert plan.frames == 300


async def test_a_cluster_is_watched_across_restarts(
    client: Client,
    gateway: FakeGateway,
) -> None:
    seen = 0
    async with aclosing(client.watch_cluster()) as states:
        async for state in states:
            assert len(state.workers) == 2
            seen += 1
            if seen == 5:
                break
    assert gateway.calls.count("WatchCluster") == 3


# ---------------------------------------------------------------- watching


async def all_events(client: Client, job_id: str, from_sequence: int = 1) -> list[gateway_pb2.JobEvent]:
    async with aclosing(client.watch(job_id, from_sequence)) as events:
        return [event async for event in events]


@pytest.mark.parametrize("end_early", [False, True])
@pytest.mark.parametrize("repeat", [False, True])
async def test_a_watcher_misses_and_repeats_nothing_when_streams_break(
    client: Client, gateway: FakeGateway, *, end_early: bool, repeat: bool
) -> None:
    job = await finished_job(client)
    gateway.knobs.break_watch_after = 2
    gateway.knobs.end_watch_early = end_early
    gateway.knobs.repeat_events = repeat
    events = await all_events(client, job.id)
    assert [event.sequence for event in events] == list(range(1, job.last_sequence + 1))
    assert events[-1].state.state == gateway_pb2.JOB_STATE_DONE
    assert gateway.calls.count("WatchJob") > job.last_sequence // 2


async def test_a_watcher_can_begin_in_the_middle(client: Client) -> None:
    job = await finished_job(client)
    events = await all_events(client, job.id, 5)
    assert [event.sequence for event in events] == list(range(5, job.last_sequence + 1))


async def test_watching_beyond_the_end_of_a_job_ends(client: Client) -> None:
    job = await finished_job(client)
    assert await all_events(client, job.id, job.last_sequence + 1) == []


async def test_a_gateway_that_is_replaced_on_the_same_port_goes_unnoticed() -> None:
    first, second = FakeGateway(Knobs(endless=True)), FakeGateway()
    async with AsyncExitStack() as stack:
        async with first.serving() as running:
            client = await stack.enter_async_context(Client(running.address, patience=EAGER))
            job = await client.submit(VideoOptions().spec(text="Hi."))
            stream = await stack.enter_async_context(aclosing(client.watch(job.id)))
            numbers = [(await anext(stream)).sequence]
        rest = asyncio.create_task(_sequences(stream))
        second.jobs = first.jobs
        await stack.enter_async_context(second.serving(running.port))
        await client.cancel(job.id)
        numbers += await rest
    assert [n for n in numbers if n] == list(range(1, first.jobs[job.id].job.last_sequence + 1))


async def _sequences(events: AsyncGenerator[gateway_pb2.JobEvent, None]) -> list[int]:
    return [event.sequence async for event in events]


async def test_watching_an_unknown_job_is_not_found(client: Client) -> None:
    with pytest.raises(NotFound):
        await all_events(client, "j" + "9" * 25)


async def test_a_watcher_who_leaves_leaves_no_call_behind(
    client: Client,
    gateway: FakeGateway,
) -> None:
    gateway.knobs.endless = True
    job = await client.submit(VideoOptions().spec(text="Hi."))
    async with aclosing(client.watch(job.id)) as events:
        async for _event in events:
            break
    async with asyncio.timeout(5):
        while gateway.watching:
            await client.get_job(job.id)


# ---------------------------------------------------------------- files


async def test_what_is_stored_is_not_sent_again(
    client: Client,
    gateway: FakeGateway,
    portrait: Path,
) -> None:
    first = await client.upload(portrait)
    assert await client.upload(portrait) == first
    assert gateway.calls.count("UploadAsset") == 1


async def test_a_broken_upload_goes_on_where_it_stopped(
    client: Client, gateway: FakeGateway, portrait: Path
) -> None:
    gateway.knobs.break_upload_after = 300_000
    told: list[tuple[int, int]] = []
    content = await client.upload(portrait, on_bytes=lambda done, total: told.append((done, total)))
    assert gateway.assets[content.sha256] == portrait.read_bytes()
    assert gateway.calls.count("UploadAsset") == 3
    assert gateway.bytes_received == content.size_bytes
    assert told[-1] == (content.size_bytes, content.size_bytes)


@pytest.mark.parametrize(("content", "limit", "wrong"), [(b"", 99, "is empty"), (b"abcd", 3, "limit of 3")])
async def test_a_refused_upload_names_file_and_field(
    client: Client, gateway: FakeGateway, tmp_path: Path, content: bytes, limit: int, wrong: str
) -> None:
    gateway.knobs.max_upload = limit
    path = tmp_path / "face.png"
    path.write_bytes(content)
    with pytest.raises(BadInput, match=wrong) as raised:
        await client.upload(path, field="avatar")
    assert raised.value.violations[0].field == "avatar"
    assert "face.png" in raised.value.message


async def test_a_large_upload_refused_at_its_head_says_why(
    client: Client, gateway: FakeGateway, portrait: Path
) -> None:
    gateway.knobs.max_upload = 1000
    with pytest.raises(BadInput, match="limit of 1000"):
        await client.upload(portrait)


async def test_a_broken_download_goes_on_where_it_stopped(
    client: Client, gateway: FakeGateway, tmp_path: Path
) -> None:
    job = await finished_job(client)
    gateway.knobs.break_download_after = 300_000
    out = tmp_path / "out.mp4"
    await client.download(job.id, out)
    assert out.read_bytes() == VIDEO
    starts = [int(call.split()[-1]) for call in gateway.calls if call.startswith("DownloadVideo")]
    assert len(starts) == 4
    assert starts == sorted(set(starts))
    assert [path.name for path in tmp_path.iterdir()] == ["out.mp4"]


async def test_a_download_that_was_given_up_is_resumed_by_the_next_call(
    client: Client, gateway: FakeGateway, tmp_path: Path
) -> None:
    job = await finished_job(client)
    part = tmp_path / f"out.mp4.{job.result.video.sha256[:12]}.part"
    part.write_bytes(VIDEO[:100_000])
    await client.download(job.id, tmp_path / "out.mp4")
    assert (tmp_path / "out.mp4").read_bytes() == VIDEO
    assert "DownloadVideo from 100000" in gateway.calls


async def test_a_damaged_part_is_fetched_again_from_the_start(
    client: Client, gateway: FakeGateway, tmp_path: Path
) -> None:
    job = await finished_job(client)
    part = tmp_path / f"out.mp4.{job.result.video.sha256[:12]}.part"
    part.write_bytes(b"?" * 100_000)
    await client.download(job.id, tmp_path / "out.mp4")
    assert (tmp_path / "out.mp4").read_bytes() == VIDEO


async def test_damaged_content_is_data_loss_and_keeps_what_was_there(
    client: Client, gateway: FakeGateway, tmp_path: Path
) -> None:
    job = await finished_job(client)
    gateway.knobs.corrupt_download = True
    out = tmp_path / "out.mp4"
    out.write_bytes(b"older")
    with pytest.raises(DataLoss):
        await client.download(job.id, out)
    assert out.read_bytes() == b"older"
    assert [path.name for path in tmp_path.iterdir()] == ["out.mp4"]


async def test_a_link_is_written_through(client: Client, tmp_path: Path) -> None:
    job = await finished_job(client)
    (tmp_path / "link.mp4").symlink_to(tmp_path / "real.mp4")
    await client.download(job.id, tmp_path / "link.mp4")
    assert (tmp_path / "link.mp4").is_symlink()
    assert (tmp_path / "real.mp4").read_bytes() == VIDEO


async def test_a_job_that_is_not_done_has_nothing_to_download(
    client: Client, gateway: FakeGateway, tmp_path: Path
) -> None:
    gateway.knobs.endless = True
    job = await client.submit(VideoOptions().spec(text="Hi."))
    with pytest.raises(Unmet, match="not done yet") as raised:
        await client.download(job.id, tmp_path / "out.mp4")
    assert raised.value.reason is Reason.JOB_NOT_DONE
    assert list(tmp_path.iterdir()) == []
