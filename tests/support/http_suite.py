"""A real gateway and merger among fake services whose chunks are real movies with a tone, and their HTTP."""

from __future__ import annotations

import json
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from mouthpiece.core.timeline import SPEECH_RATE, Span
from mouthpiece.media.quality import Quality
from tests.support.gateway_fakes import FakeSuite, fake_suite
from tests.support.media_chunks import encode

HERTZ = 440.0
SIZE = 64
"""Width and height of the pictures in pixels."""


def real_movie(frames: Sequence[int]) -> bytes:
    """A chunk that decodes."""
    span = Span(frames[0], frames[0] + len(frames))
    with tempfile.TemporaryDirectory() as folder:
        return encode(Path(folder) / "chunk", span, width=SIZE, height=SIZE, quality=Quality.LOW).read_bytes()


def tone_at(samples: Span) -> bytes:
    """A tone that goes on from sentence to sentence."""
    wave = 0.4 * 32767 * np.sin(2 * np.pi * HERTZ * np.arange(samples.first, samples.end) / SPEECH_RATE)
    return wave.round().astype(np.int16).tobytes()


def spec(text: str, **more: Any) -> dict[str, Any]:
    """A small video, in chunks of a second, as JSON."""
    wanted = {"text": text, "width": SIZE, "height": SIZE, "mode": "MODE_CHUNKED", "chunk_length": "1s"}
    return {**wanted, **more}


@asynccontextmanager
async def http_suite(folder: Path, **settings: Any) -> AsyncGenerator[tuple[FakeSuite, httpx.AsyncClient]]:
    """The suite, and a client of its gateway's HTTP."""
    async with fake_suite(folder, real_merger=True, **settings) as suite:
        suite.speech.sound = tone_at
        for worker in suite.workers:
            worker.movie = real_movie
        async with client_of(suite) as client:
            yield suite, client


def client_of(suite: FakeSuite) -> httpx.AsyncClient:
    """A client with room for many streams."""
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
    return httpx.AsyncClient(base_url=suite.http_url, timeout=20, limits=limits)


@dataclass(frozen=True)
class Told:
    """An event as a browser gets it."""

    id: int
    kind: str
    data: dict[str, Any]


async def events_of(client: httpx.AsyncClient, job: str, last_id: int = 0) -> AsyncIterator[Told]:
    """The events of a job after one, until the stream ends."""
    headers = {"Last-Event-ID": str(last_id)} if last_id else {}
    async with client.stream("GET", f"/api/events/{job}", headers=headers) as answer:
        assert answer.status_code == 200
        fields: dict[str, str] = {}
        async for line in answer.aiter_lines():
            if line:
                name, _, value = line.partition(": ")
                fields[name] = value
            elif "data" in fields:
                yield Told(int(fields.get("id", 0)), fields["event"], json.loads(fields["data"]))
                fields = {}


async def submitted(client: httpx.AsyncClient, text: str, **more: Any) -> str:
    """The id of a new job."""
    answer = await client.post("/api/jobs", json=spec(text, **more))
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


async def ended(client: httpx.AsyncClient, job: str) -> str:
    """The state in which a job ended."""
    states = [event.data["state"]["state"] async for event in events_of(client, job) if event.kind == "state"]
    return str(states[-1])
