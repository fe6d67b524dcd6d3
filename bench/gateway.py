"""What the gateway itself costs: jobs and chunks whose speech, rendering and merging take no time.

Run as `python -m bench.gateway`. Everything is in one process, so the figures hold both ends of each call.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
from pathlib import Path
from time import perf_counter

from bench.merge import machine
from mouthpiece.v1 import gateway_pb2 as pb
from tests.support.gateway_fakes import FakeSuite, fake_suite

JOBS = 60
CHUNKS = 100


def main() -> None:
    asyncio.run(measure())


async def measure() -> None:
    print(f"gateway among fake services that answer at once, on {machine()}")
    with tempfile.TemporaryDirectory() as folder:
        async with fake_suite(Path(folder)) as suite:
            accepted = [await accept(suite, number) for number in range(JOBS)]
            one = [await carry(suite, number, sentences=1) for number in range(JOBS // 3)]
            many = await carry(suite, 0, sentences=CHUNKS // 2)
    print(f"  accept a job               {1e3 * statistics.median(accepted):8.1f} ms (median of {JOBS})")
    print(f"  carry a job of one chunk   {1e3 * statistics.median(one):8.1f} ms (median of {len(one)})")
    print(f"  carry a job of {CHUNKS} chunks  {1e3 * many:8.1f} ms = {1e3 * many / CHUNKS:.1f} ms a chunk")


async def accept(suite: FakeSuite, number: int) -> float:
    start = perf_counter()
    await submit(suite, f"Accept {number}.")
    return perf_counter() - start


async def carry(suite: FakeSuite, number: int, sentences: int) -> float:
    start = perf_counter()
    job = await submit(suite, f"Sentence {number}. " * sentences)
    async for _ in suite.stub.WatchJob(pb.WatchJobRequest(job_id=job.id)):
        pass
    return perf_counter() - start


async def submit(suite: FakeSuite, text: str) -> pb.Job:
    spec = pb.JobSpec(text=text, mode=pb.MODE_CHUNKED)
    spec.chunk_length.FromMilliseconds(1000)
    return (await suite.stub.SubmitJob(pb.SubmitJobRequest(spec=spec))).job


if __name__ == "__main__":
    main()
