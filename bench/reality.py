"""The simulator beside real processes: the same jobs on the same workers, and how long each says it takes.

Run as `python -m bench.reality`. The workers render by waiting (the timed engine), so little of it depends on
the machine. What an attempt costs beside its frames is measured in the first job.
"""

from __future__ import annotations

import asyncio
import os
import signal
import tempfile
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

from bench.merge import machine
from mouthpiece.client import Client, VideoOptions
from mouthpiece.core.scheduler import JobSubmitted, Scheduler, SpeechGrew
from mouthpiece.core.speech import BYTES_PER_SAMPLE, cut_marks, ready_frames
from mouthpiece.rpc.channel import dial
from mouthpiece.rpc.server import serving
from mouthpiece.rpc.speech_codec import sentence_from_proto
from mouthpiece.settings import CommonSettings, GatewaySettings
from mouthpiece.simulate.workload import ENGINE, FPS, VERSION, Arrival, SizeClass
from mouthpiece.simulate.world import Cluster, Costs, Faults, World
from mouthpiece.v1 import common_pb2, lipsync_pb2
from mouthpiece.v1 import gateway_pb2 as pb
from mouthpiece.v1.lipsync_pb2_grpc import LipSyncServiceStub
from services.gateway.__main__ import program
from tests.faults.bad_worker import SLOW, VARIABLE, VICES
from tests.faults.conftest import recording
from tests.support import fault_processes

SPEEDS = (1.0, 1.0, 0.5)
SIZE = 128
OPTIONS = VideoOptions(engine="timed", width=SIZE, height=SIZE, quality="lossless", ignore_cache=True, seed=1)
BAD = "lipsync-2"


@dataclass(frozen=True, slots=True)
class Scene:
    """Jobs that come together (bursts of two seconds each), to workers by number.

    With a ``vice``, the last of the workers has it.
    """

    name: str
    bursts: tuple[int, ...]
    workers: tuple[int, ...]
    vice: str = ""


SCENES = (
    Scene("one job, two equal workers", (10,), (0, 1)),
    Scene("one job, a third worker of half the speed", (12,), (0, 1, 2)),
    Scene("four jobs at once, three workers", (3, 5, 2, 4), (0, 1, 2)),
    Scene("one job, the third worker always fails", (10,), (0, 1, 2), "always fails"),
)
FROZEN = "is frozen"


@dataclass(slots=True)
class Stage:
    """Processes that are up, and the folder that they share."""

    cluster: fault_processes.Cluster
    folder: Path
    vice: Path

    def signal_bad(self, number: signal.Signals) -> None:
        """Freeze the bad worker, or let it go on."""
        child = next(one.child for one in self.cluster.suite.services if one.plan.name == BAD)
        assert child is not None
        os.kill(child.pid, number)

    def address(self, name: str) -> str:
        return next(one.plan.address for one in self.cluster.suite.services if one.plan.name == name)


def main() -> None:
    asyncio.run(compare())


async def compare() -> None:
    print(f"simulator and real processes, on {machine()}")
    with tempfile.TemporaryDirectory() as folder:
        async with stage(Path(folder)) as there:
            setup = await overhead(there)
            print(f"  an attempt costs {setup:.2f} s beside its frames")
            for scene in SCENES:
                jobs = await play(there, scene)
                real = max(map(_length, jobs))
                told = simulate(scene, jobs, setup)
                print(f"  {scene.name:42} real {real:6.2f} s  simulated {told:6.2f} s  {told / real:5.2f}")
            await bad_workers(there)


async def bad_workers(there: Stage) -> None:
    """How much longer a job takes with a bad third worker than with the two good ones alone."""
    (good,) = await play(there, Scene("good ones alone", (10,), (0, 1)))
    try:
        for vice in (*VICES, SLOW, FROZEN):
            (events,) = await play(there, Scene(f"a third worker {vice}", (10,), (0, 1, 2), vice))
            print(f"  a third worker {vice:27} {_length(events) / _length(good):5.2f} times as long")
    finally:
        there.signal_bad(signal.SIGCONT)


@asynccontextmanager
async def stage(folder: Path) -> AsyncGenerator[Stage]:
    """Speech service, merger and three workers whose avatar is prepared."""
    vice = folder / "vice"
    environments = {
        f"lipsync-{number}": {
            "MOUTHPIECE_LIPSYNC_ENGINES": "timed",
            "MOUTHPIECE_LIPSYNC_TIMED_FRAMES_PER_SECOND": str(float(FPS) * speed),
            VARIABLE: str(vice),
        }
        for number, speed in enumerate(SPEEDS)
    }
    modules = {BAD: "tests.faults.bad_worker"}
    async with fault_processes.Cluster(folder / "data", len(SPEEDS), modules, environments) as cluster:
        there = Stage(cluster, folder, vice)
        await asyncio.gather(*(_warm(there.address(name)) for name in environments))
        yield there


async def _warm(address: str) -> None:
    form = common_pb2.VideoFormat(
        fps=common_pb2.Rational(numerator=25, denominator=1), width=SIZE, height=SIZE
    )
    async with dial(address) as channel:
        await LipSyncServiceStub(channel).PrepareAvatar(
            lipsync_pb2.PrepareAvatarRequest(format=form), timeout=120
        )


async def overhead(there: Stage) -> float:
    """Seconds of an attempt that are not rendering, as one worker shows in a job of its own."""
    (events,) = await play(there, Scene("overhead", (4,), (0,)))
    times = [
        (chunk.finished.ToNanoseconds() - chunk.started.ToNanoseconds()) / 1e9
        - (chunk.frames.end - chunk.frames.first) / float(FPS)
        for chunk in _chunks(events)
    ]
    return max(0.0, median(times))


async def play(there: Stage, scene: Scene) -> list[list[pb.JobEvent]]:
    """What the watchers of a scene's jobs saw, with a gateway that knows nothing yet."""
    there.vice.write_text(scene.vice, encoding="utf-8")
    workers = [there.address(f"lipsync-{number}") for number in scene.workers]
    name = scene.name.replace(" ", "-")
    settings = GatewaySettings(
        port=0,
        metrics_port=0,
        tts=there.address("tts"),
        merger=there.address("merger"),
        workers=",".join(workers),
        database=f"sqlite+aiosqlite:///{there.folder / name}.db",
    )
    common = CommonSettings(data=there.cluster.data)
    seen: list[list[pb.JobEvent]] = [[] for _ in scene.bursts]

    def watch(job: int, event: pb.JobEvent) -> None:
        seen[job].append(event)
        if scene.vice == FROZEN and event.chunk.worker == BAD:
            there.signal_bad(signal.SIGSTOP)

    there.signal_bad(signal.SIGCONT)
    async with (
        serving(program(common, settings), "127.0.0.1", 0, 0.2) as running,
        Client(running.address) as client,
        asyncio.TaskGroup() as group,
    ):
        for number, bursts in enumerate(scene.bursts):
            audio = recording(there.folder / f"{bursts}.wav", bursts, seed=number)
            out = there.folder / f"{number}.mp4"
            group.create_task(
                client.generate(out, audio=audio, options=OPTIONS, on_event=partial(watch, number))
            )
    return seen


def simulate(scene: Scene, jobs: Sequence[Sequence[pb.JobEvent]], setup: float) -> float:
    """Virtual seconds that the longest of the same jobs takes, its speech coming as it really did."""
    begun = min(_moment(events[0]) for events in jobs)
    arrivals = [_arrival(f"j{number}", events, begun) for number, events in enumerate(jobs)]
    costs = Costs(prep=0.0, setup=setup, context=0.0, resume=setup, noise=0.0)
    workers = sorted(scene.workers, reverse=bool(scene.vice))
    cluster = Cluster(
        tuple(SPEEDS[number] for number in workers),
        costs,
        Faults(broken=int(bool(scene.vice))),
        progress=0.5,
        warm=("face",),
    )
    world = World(cluster, arrivals, Scheduler())
    world.run()
    return max(record.ended - record.arrival.at for record in world.records.values())


def _arrival(name: str, events: Sequence[pb.JobEvent], begun: float) -> Arrival:
    came = _moment(events[0])
    spoken = [event for event in events if event.HasField("speech")]
    growth: list[tuple[float, SpeechGrew]] = []
    for event in spoken:
        message = event.speech.sentence
        length = message.samples.end - message.samples.first
        message.pcm = bytes(BYTES_PER_SAMPLE * length)
        sentence = sentence_from_proto(message)
        final = event is spoken[-1]
        ready = ready_frames(sentence.samples.end, FPS, 0, final=final)
        growth.append((_moment(event) - came, SpeechGrew(name, ready, cut_marks(sentence, FPS), final)))
    frames = growth[-1][1].ready
    seconds = frames / float(FPS)
    job = JobSubmitted(name, "", "face", ENGINE, VERSION, FPS, frames)
    return Arrival(came - begun, SizeClass("real", 1.0, seconds, seconds), seconds, job, tuple(growth))


def _chunks(events: Sequence[pb.JobEvent]) -> list[pb.Chunk]:
    return [event.chunk for event in events if event.chunk.state == pb.CHUNK_STATE_DONE]


def _length(events: Sequence[pb.JobEvent]) -> float:
    """Seconds from a job's acceptance to its last chunk."""
    return max(chunk.finished.ToNanoseconds() for chunk in _chunks(events)) / 1e9 - _moment(events[0])


def _moment(event: pb.JobEvent) -> float:
    return event.time.ToNanoseconds() / 1e9


if __name__ == "__main__":
    main()
