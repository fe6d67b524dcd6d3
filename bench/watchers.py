"""What watching costs: one job on one gateway, alone and before a crowd of browsers and players.

Run as `python -m bench.watchers`. All services run as on any machine, with the `timed` engine and small
pictures; the crowd is a process of its own.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import tempfile
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import dataclass
from itertools import chain
from multiprocessing import get_context
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from bench.http import text
from bench.merge import machine
from mouthpiece.suite import Suite, SuiteConfig
from tests.support.http_crowd import Crowd, Viewed, Watched, run_crowd

WATCHERS = 500
VIEWERS = 50
SENTENCES = 8
FRAMES_PER_SECOND = 30
WORKERS = 2


@dataclass(frozen=True)
class Footprint:
    """What a process has used up: seconds of CPU, and MiB of memory now."""

    cpu: float
    memory: float


@dataclass(frozen=True)
class Showing:
    """One job and those who looked at it."""

    begin: Footprint
    end: Footprint
    watched: list[Watched]
    viewed: list[Viewed]

    @property
    def cpu(self) -> float:
        """Seconds of CPU that the gateway took."""
        return self.end.cpu - self.begin.cpu


def main() -> None:
    asyncio.run(measure())


async def measure() -> None:
    print(f"one job before {WATCHERS} event streams and {VIEWERS} players, on {machine()}")
    environment = {
        "MOUTHPIECE_LIPSYNC_ENGINES": "timed",
        "MOUTHPIECE_LIPSYNC_TIMED_FRAMES_PER_SECOND": str(FRAMES_PER_SECOND),
    }
    with tempfile.TemporaryDirectory() as folder:
        config = SuiteConfig(Path(folder), WORKERS, grpc_port=0, drain_seconds=1, environment=environment)
        async with Suite(config) as suite:
            with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as elsewhere:
                await show(suite, elsewhere, "warming", 1, 1)
                alone = await show(suite, elsewhere, "alone", 1, 1)
                for name in ("before many", "before as many"):
                    report(alone, await show(suite, elsewhere, name, WATCHERS, VIEWERS))


async def show(suite: Suite, elsewhere: Executor, name: str, watchers: int, viewers: int) -> Showing:
    gateway = gateway_of(suite)
    begin = footprint(gateway)
    async with httpx.AsyncClient(base_url=suite.http_url, timeout=30) as client:
        spec = {"text": text(name, SENTENCES), "engine": "timed", "width": 64, "height": 64}
        answer = await client.post("/api/jobs", json=spec)
        assert answer.status_code == 202, answer.text
    url = urlsplit(suite.http_url)
    crowd = Crowd(url.hostname or "", url.port or 80, answer.json()["id"], watchers, viewers)
    watched, viewed = await asyncio.get_running_loop().run_in_executor(elsewhere, run_crowd, crowd)
    return Showing(begin, footprint(gateway), watched, viewed)


def report(alone: Showing, crowded: Showing) -> None:
    stored = max(max(watched.numbers, default=0) for watched in crowded.watched)
    lost = sum(stored - len(set(watched.numbers)) for watched in crowded.watched)
    delays = list(chain.from_iterable(watched.delays for watched in crowded.watched))
    live = statistics.median(watched.live for watched in crowded.watched)
    movies = {viewed.sha256 for viewed in crowded.viewed}
    extra = (crowded.cpu - alone.cpu) / (len(crowded.watched) + len(crowded.viewed))
    print(f"  {stored} events each, {lost} lost; {live:.0f} live figures each; {len(movies)} movie")
    print(f"  delay of an event: p50 {percentile(delays, 50):.0f} ms, p99 {percentile(delays, 99):.0f} ms")
    print(
        f"  CPU of the gateway {alone.cpu:.2f} s alone, {crowded.cpu:.2f} s: {1e3 * extra:.1f} ms a watcher"
    )
    print(
        f"  memory of the gateway {crowded.begin.memory:.0f} MiB before, {crowded.end.memory:.0f} MiB after"
    )


def percentile(values: list[float], of: int) -> float:
    """In milliseconds."""
    return 1e3 * statistics.quantiles(values, n=100)[of - 1]


def gateway_of(suite: Suite) -> int:
    """Its process id."""
    child = next(service.child for service in suite.services if service.plan.name == "gateway")
    assert child is not None
    return child.pid


def footprint(process: int) -> Footprint:
    """As Linux tells it (proc_pid_stat(5))."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    cpu = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return Footprint(cpu, int(fields[21]) * os.sysconf("SC_PAGE_SIZE") / (1 << 20))


if __name__ == "__main__":
    main()
