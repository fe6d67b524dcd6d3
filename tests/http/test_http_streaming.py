"""Watching a video while it is made: playlist, segments, and downloads that follow."""

from __future__ import annotations

import asyncio
import hashlib
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from urllib.parse import urlsplit

import av
import httpx
import numpy as np

from mouthpiece.client import Client
from mouthpiece.v1.gateway_pb2 import DownloadVideoRequest
from tests.support.http_crowd import Crowd, look
from tests.support.http_suite import HERTZ, client_of, ended, events_of, http_suite, submitted
from tests.support.media_measure import phase_steps
from tests.support.media_packets import packets

TEXT = "One. Two. Three."
FRAMES = 150


async def playlist(client: httpx.AsyncClient, job: str) -> list[str]:
    answer = await client.get(f"/api/stream/{job}/index.m3u8")
    while answer.status_code == 503:  # on a busy machine the first segment takes longer than a request may
        answer = await client.get(f"/api/stream/{job}/index.m3u8")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("application/vnd.apple.mpegurl")
    return answer.text.splitlines()


async def played(client: httpx.AsyncClient, job: str) -> bytes:
    """What a player gets of a playlist."""
    lines = await playlist(client, job)
    names = [line.split('"')[1] for line in lines if line.startswith("#EXT-X-MAP")]
    names += [line for line in lines if not line.startswith("#")]
    return b"".join([(await client.get(f"/api/stream/{job}/{name}")).content for name in names])


def decode(url: str) -> tuple[list[Fraction], np.ndarray]:
    """Times of all frames in seconds, and the sound, as libavformat plays them."""
    with av.open(url, "r") as container:
        times = [(frame.pts or 0) * (frame.time_base or Fraction(0)) for frame in container.decode(video=0)]
    with av.open(url, "r") as container:
        sound = np.concatenate([frame.to_ndarray()[0] for frame in container.decode(audio=0)])
    return times, sound


async def test_the_playlist_decodes_to_every_frame_and_an_unbroken_tone(tmp_path: Path) -> None:
    async with http_suite(tmp_path) as (suite, client):
        job = await submitted(client, TEXT)
        assert await ended(client, job) == "JOB_STATE_DONE"
        url = f"{suite.http_url}/api/stream/{job}/index.m3u8"
        times, sound = await asyncio.to_thread(decode, url)
        assert len(times) == FRAMES
        assert {after - before for before, after in pairwise(sorted(times))} == {Fraction(1, 25)}
        assert phase_steps(sound[2048:-2048], HERTZ).max() < 0.01
        assert packets(await played(client, job)) == packets(await suite.video(job))


async def test_the_playlist_grows_while_the_job_runs_and_ends_with_it(tmp_path: Path) -> None:
    async with http_suite(tmp_path) as (suite, client):
        gate = asyncio.Event()
        suite.speech.gate = lambda index: gate if index == 2 else None
        job = await submitted(client, TEXT)
        early = await playlist(client, job)  # waits for the first segment
        assert "#EXT-X-PLAYLIST-TYPE:EVENT" in early
        assert "#EXT-X-ENDLIST" not in early
        first = await played(client, job)
        assert packets(first)[0][0] == "audio"
        gate.set()
        assert await ended(client, job) == "JOB_STATE_DONE"
        late = await playlist(client, job)
        assert late[: len(early)] == early
        assert late[-1] == "#EXT-X-ENDLIST"
        assert (await played(client, job)).startswith(first)


async def test_segments_are_announced_in_order(tmp_path: Path) -> None:
    async with http_suite(tmp_path) as (_, client):
        job = await submitted(client, TEXT)
        segments = [
            event.data["segment"] async for event in events_of(client, job) if event.kind == "segment"
        ]
        assert [int(segment.get("index", 0)) for segment in segments] == list(range(len(segments)))
        ends = [int(segment["frames"]["end"]) for segment in segments]
        assert [int(segment["frames"].get("first", 0)) for segment in segments] == [0, *ends[:-1]]
        assert ends[-1] == FRAMES


async def test_a_download_follows_a_running_job(tmp_path: Path) -> None:
    async with http_suite(tmp_path) as (suite, client):
        gate = asyncio.Event()
        suite.speech.gate = lambda index: gate if index == 2 else None
        job = await submitted(client, TEXT)
        grown = b""
        call = suite.stub.DownloadVideo(DownloadVideoRequest(job_id=job, follow=True))
        async for part in call:
            grown += part.data
            if b"moof" in grown:
                gate.set()  # only once something was there to be played
        async with client.stream("GET", f"/api/download/{job}", params={"follow": 1}) as answer:
            again = await answer.aread()
        assert again == grown
        assert packets(grown) == packets(await suite.video(job))


async def test_a_client_that_follows_goes_on_over_a_restart(tmp_path: Path) -> None:
    async with http_suite(tmp_path) as (suite, client):
        gate = asyncio.Event()
        suite.speech.gate = lambda index: gate if index == 1 else None
        job = await submitted(client, TEXT)
        grown = b""
        suite.settings = suite.settings.model_copy(update={"port": int(suite.address.rpartition(":")[2])})
        async with Client(suite.address) as follower:
            async for block in follower.stream(job):
                grown += block
                if not gate.is_set():
                    await suite.restart_gateway()
                    gate.set()
        assert packets(grown) == packets(await suite.video(job))


async def test_a_restarted_gateway_goes_on_with_the_same_segments(tmp_path: Path) -> None:
    async with http_suite(tmp_path) as (suite, client):
        gate = asyncio.Event()
        suite.speech.gate = lambda index: gate if index == 1 else None
        job = await submitted(client, TEXT)
        before = await played(client, job)
        seen = [event.id async for event in until_segment(client, job)]
        await suite.restart_gateway()
        gate.set()
        async with client_of(suite) as back:
            rest = [event.id async for event in events_of(back, job, seen[-1]) if event.id]
            assert [number for number in seen if number] + rest == list(range(1, rest[-1] + 1))
            whole = await played(back, job)
            assert whole.startswith(before)
            assert packets(whole) == packets(await suite.video(job))


async def until_segment(client: httpx.AsyncClient, job: str):  # type: ignore[no-untyped-def]
    async for event in events_of(client, job):
        if event.id:
            yield event
        if event.kind == "segment":
            return


async def test_what_is_no_segment_is_not_found(tmp_path: Path) -> None:
    async with http_suite(tmp_path) as (_, client):
        job = await submitted(client, "One.")
        await ended(client, job)
        for name in ("99.m4s", "x.m4s", "..%2f0.m4s", "init-99.mp4"):
            assert (await client.get(f"/api/stream/{job}/{name}")).status_code == 404
        assert (await client.get("/api/stream/jnone/index.m3u8")).status_code == 404


async def test_many_watch_one_job_and_nobody_misses_anything(tmp_path: Path) -> None:
    async with http_suite(tmp_path) as (suite, client):
        gate = asyncio.Event()
        suite.speech.gate = lambda index: gate if index == 0 else None
        job = await submitted(client, TEXT)
        coming = [asyncio.Event() for _ in range(100)]
        missing = iter(coming)
        address = urlsplit(suite.http_url)
        crowd = Crowd(address.hostname or "", address.port or 0, job, len(coming), 20)
        looking = asyncio.create_task(look(crowd, lambda: next(missing).set()))
        await asyncio.gather(*(one.wait() for one in coming))
        gate.set()
        watched, viewed = await looking
        last = watched[0].numbers[-1]
        assert {one.numbers for one in watched} == {tuple(range(1, last + 1))}
        movie = await played(client, job)
        assert {one.sha256 for one in viewed} == {hashlib.sha256(movie).hexdigest()}
        assert packets(movie) == packets(await suite.video(job))


async def test_many_who_come_when_all_is_over_are_told_everything(tmp_path: Path) -> None:
    async with http_suite(tmp_path) as (suite, client):
        job = await submitted(client, TEXT)
        await ended(client, job)
        address = urlsplit(suite.http_url)
        watched, _ = await look(Crowd(address.hostname or "", address.port or 0, job, 100, 0))
        last = watched[0].numbers[-1]
        assert {one.numbers for one in watched} == {tuple(range(1, last + 1))}
