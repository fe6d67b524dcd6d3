"""How soon a video can be watched: from submission to the first segment that a player has, over HTTP.

Run as `python -m bench.http`. All services run as on any machine, with the speech service as it is and the
`timed` engine, which takes a known time for a frame.
"""

from __future__ import annotations

import asyncio
import tempfile
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from time import perf_counter
from typing import Any

import httpx

from bench.merge import machine
from mouthpiece.suite import Suite, SuiteConfig
from tests.support.http_suite import events_of

WORKERS = 2
FRAMES_PER_SECOND = 50
TEXTS = {"20 s": 6, "10 min": 180}
"""Sentences of about 3.4 seconds."""


@dataclass(frozen=True)
class Start:
    """Seconds to the first segment at the player, and those of them in which its chunk was rendered."""

    playable: float
    render: float


def main() -> None:
    asyncio.run(measure())


async def measure() -> None:
    print(f"time to the first picture, {WORKERS} workers of {FRAMES_PER_SECOND} frames/s, on {machine()}")
    environment = {
        "MOUTHPIECE_LIPSYNC_ENGINES": "timed",
        "MOUTHPIECE_LIPSYNC_TIMED_FRAMES_PER_SECOND": str(FRAMES_PER_SECOND),
    }
    with tempfile.TemporaryDirectory() as folder:
        config = SuiteConfig(Path(folder), WORKERS, grpc_port=0, drain_seconds=1, environment=environment)
        async with Suite(config) as suite, httpx.AsyncClient(base_url=suite.http_url, timeout=30) as client:
            await start_of(client, "Warming up.")
            for name, sentences in TEXTS.items():
                start = await start_of(client, text(name, sentences))
                rest = start.playable - start.render
                print(f"  {name:>6} {start.playable:8.2f} s = rendering {start.render:.2f} s + {rest:.2f} s")


def text(name: str, sentences: int) -> str:
    """A text that was not spoken before."""
    return " ".join(
        f"Sentence {n} of {name} tells what the weather will be like today." for n in range(sentences)
    )


async def start_of(client: httpx.AsyncClient, words: str) -> Start:
    begin = perf_counter()
    spec = {"text": words, "engine": "timed", "width": 640, "height": 480}
    answer = await client.post("/api/jobs", json=spec)
    assert answer.status_code == 202, answer.text
    job = answer.json()["id"]
    chunks: dict[int, Any] = {}
    playable = 0.0
    async for event in events_of(client, job):
        if event.kind == "chunk":
            chunks[int(event.data["chunk"]["frames"].get("first", 0))] = event.data["chunk"]
        if event.kind == "segment":
            for name in ("init-0.mp4", "0.m4s"):
                await client.get(f"/api/stream/{job}/{name}")
            playable = perf_counter() - begin
            break
    await client.post(f"/api/jobs/{job}/cancel")
    began, ended = (datetime.fromisoformat(chunks[0][name]) for name in ("started", "finished"))
    return Start(playable, (ended - began).total_seconds())


if __name__ == "__main__":
    main()
