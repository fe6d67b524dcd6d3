"""A gateway in memory, with knobs for what can go wrong between it and a client.

Also a program, for tests of the command line: `python -m tests.support.cli_fake_gateway '{"seconds": 1}'`
prints its address, then a line for each call that it gets.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import sys
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any

from google.rpc import code_pb2, status_pb2
from grpc.aio import ServicerContext

from mouthpiece.client import Patience
from mouthpiece.errors import (
    BadInput,
    Busy,
    DataLoss,
    Forbidden,
    NotFound,
    Reason,
    Unauthenticated,
    Unavailable,
    Unmet,
)
from mouthpiece.rpc.convert import duration, timestamp
from mouthpiece.rpc.server import Program, Running, serving
from mouthpiece.v1 import common_pb2, gateway_pb2, lipsync_pb2, tts_pb2
from mouthpiece.v1.gateway_pb2_grpc import VideoServiceServicer, add_VideoServiceServicer_to_server

Context = ServicerContext[Any, Any]
VIDEO = bytes(range(256)) * 4096
"""What every finished job "rendered": 1 MiB."""
FIRST_JOB = "j" + "0" * 25
START = 1_750_000_000.0
BLOCK = 64 << 10
EAGER = Patience(seconds=20.0, first_wait=0.001, longest_wait=0.02)
"""A client's patience that costs a test no time."""


@dataclass
class Knobs:
    """What goes wrong, or slowly."""

    refuse_calls: int = 0
    """Unary calls that are answered UNAVAILABLE before any is served."""
    break_watch_after: int = 0
    """Events after which every watch stream breaks; 0: never."""
    end_watch_early: bool = False
    """The stream then ends as if all were told, instead of with a status."""
    repeat_events: bool = False
    """A resumed watch starts one event too early."""
    break_upload_after: int = 0
    """Bytes after which every upload breaks, keeping what arrived."""
    break_download_after: int = 0
    """Bytes after which every download breaks."""
    corrupt_download: bool = False
    max_upload: int = 1 << 30
    fails: str = ""
    """The job fails with this message."""
    refuses: str = ""
    """SubmitJob answers so: no_face, busy, engine."""
    asks: str = ""
    """GetCluster lacks it: token, scope."""
    seconds: float = 0.0
    """How long a job takes."""
    endless: bool = False
    """Jobs never end by themselves."""
    chunks: int = 3


@dataclass
class Stored:
    """One job: what is known, and its history."""

    job: gateway_pb2.Job
    events: list[gateway_pb2.JobEvent] = field(default_factory=list)
    grown: asyncio.Event = field(default_factory=asyncio.Event)
    progress: gateway_pb2.JobEvent | None = None


class FakeGateway(VideoServiceServicer):
    """Serves what the proto promises, from memory, and does what its knobs say."""

    def __init__(self, knobs: Knobs | None = None) -> None:
        self.knobs = knobs or Knobs()
        self.calls: list[str] = []
        self.uploads: dict[str, bytearray] = {}
        self.assets: dict[str, bytes] = {}
        self.jobs: dict[str, Stored] = {}
        self.by_request: dict[str, str] = {}
        self.bytes_received = 0
        self.running: set[asyncio.Task[None]] = set()
        self.watching = 0
        self.echo = False
        self.address = ""

    def serving(self, port: int = 0) -> AbstractAsyncContextManager[Running]:
        """Serve on this machine within the context."""
        program = Program(
            "mouthpiece.v1.VideoService", self, lambda s: add_VideoServiceServicer_to_server(self, s)
        )
        return serving(program, "127.0.0.1", port, 1.0)

    async def load(self) -> None:
        """Nothing to open."""

    async def drain(self) -> None:
        """Nothing to wait for."""

    async def close(self) -> None:
        """Stop the jobs."""
        for task in self.running:
            task.cancel()
        await asyncio.gather(*self.running, return_exceptions=True)

    def _called(self, name: str) -> None:
        self.calls.append(name)
        if self.echo:
            print(name, flush=True)
        if self.knobs.refuse_calls > 0:
            self.knobs.refuse_calls -= 1
            raise Unavailable("not now", 0.01)

    # -------------------------------------------------------- assets

    async def QueryUpload(
        self, request: gateway_pb2.QueryUploadRequest, context: Context
    ) -> gateway_pb2.QueryUploadResponse:
        self._called("QueryUpload")
        if request.sha256 in self.assets:
            return gateway_pb2.QueryUploadResponse(offset=len(self.assets[request.sha256]), complete=True)
        return gateway_pb2.QueryUploadResponse(offset=len(self.uploads.get(request.sha256, b"")))

    async def UploadAsset(
        self, request_iterator: AsyncIterator[gateway_pb2.UploadAssetRequest], context: Context
    ) -> gateway_pb2.UploadAssetResponse:
        self._called("UploadAsset")
        header = (await anext(request_iterator)).header
        if header.size_bytes == 0:
            raise BadInput("header.size_bytes", "is empty")
        if header.size_bytes > self.knobs.max_upload:
            raise BadInput("header.size_bytes", f"larger than the limit of {self.knobs.max_upload} bytes")
        stored = self.uploads.setdefault(header.sha256, bytearray())
        assert header.offset <= len(stored)
        del stored[header.offset :]
        here = 0
        async for message in request_iterator:
            assert 0 < len(message.data) <= 1 << 20
            stored.extend(message.data)
            self.bytes_received += len(message.data)
            here += len(message.data)
            if 0 < self.knobs.break_upload_after <= here:
                raise Unavailable("restarting", 0.01)
        return self._keep(header, bytes(self.uploads.pop(header.sha256)))

    def _keep(self, header: gateway_pb2.UploadHeader, content: bytes) -> gateway_pb2.UploadAssetResponse:
        if hashlib.sha256(content).hexdigest() != header.sha256:
            raise DataLoss("the content does not match its name")
        self.assets[header.sha256] = content
        return gateway_pb2.UploadAssetResponse(asset=_artifact(content))

    # -------------------------------------------------------- jobs

    async def SubmitJob(
        self, request: gateway_pb2.SubmitJobRequest, context: Context
    ) -> gateway_pb2.SubmitJobResponse:
        self._called("SubmitJob")
        self._refuse()
        known = self.by_request.get(request.request_id)
        if known is None:
            known = self._accept(request)
        return gateway_pb2.SubmitJobResponse(job=self.jobs[known].job)

    def _refuse(self) -> None:
        match self.knobs.refuses:
            case "no_face":
                raise Unmet(Reason.NO_FACE, "no face was found in the avatar")
            case "busy":
                raise Busy("the queue is full", 30.0)
            case "engine":
                raise BadInput("spec.engine", "no worker has 'nope'; there is viseme")
            case _:
                return

    def _accept(self, request: gateway_pb2.SubmitJobRequest) -> str:
        job = gateway_pb2.Job(
            id=f"j{len(self.jobs):025d}",
            spec=request.spec,
            created=timestamp(START),
            format=common_pb2.VideoFormat(
                fps=common_pb2.Rational(numerator=25, denominator=1), width=512, height=512
            ),
            request_id=request.request_id,
        )
        self.jobs[job.id] = Stored(job)
        self.by_request[request.request_id] = job.id
        task = asyncio.get_running_loop().create_task(self._work(self.jobs[job.id]))
        self.running.add(task)
        task.add_done_callback(self.running.discard)
        return job.id

    async def _work(self, stored: Stored) -> None:
        for step in script(self.knobs):
            if stored.job.state in (gateway_pb2.JOB_STATE_CANCELLED,):
                return
            await asyncio.sleep(self.knobs.seconds / (8 * self.knobs.chunks + 6))
            self._happen(stored, step)

    def _happen(self, stored: Stored, event: gateway_pb2.JobEvent) -> None:
        event.job_id = stored.job.id
        if event.HasField("progress"):
            stored.progress = event
        else:
            event.sequence = len(stored.events) + 1
            stored.job.last_sequence = event.sequence
            stored.events.append(event)
        _learn(stored.job, event)
        grown, stored.grown = stored.grown, asyncio.Event()
        grown.set()

    def _stored(self, job_id: str) -> Stored:
        if job_id not in self.jobs:
            raise NotFound(f"no job {job_id}")
        return self.jobs[job_id]

    async def WatchJob(
        self, request: gateway_pb2.WatchJobRequest, context: Context
    ) -> AsyncIterator[gateway_pb2.WatchJobResponse]:
        self._called("WatchJob")
        stored = self._stored(request.job_id)
        index = max(1, request.from_sequence) - 1
        if self.knobs.repeat_events and index:
            index -= 1
        told = 0
        self.watching += 1
        try:
            while True:
                grown = stored.grown
                for event in stored.events[index:]:
                    yield gateway_pb2.WatchJobResponse(event=event)
                    index, told = index + 1, told + 1
                    if told == self.knobs.break_watch_after:
                        if self.knobs.end_watch_early:
                            return
                        raise Unavailable("restarting", 0.01)
                if ended(stored.job):
                    return
                if stored.progress is not None:
                    yield gateway_pb2.WatchJobResponse(event=stored.progress)
                await grown.wait()
        finally:
            self.watching -= 1

    async def GenerateVideo(
        self, request: gateway_pb2.GenerateVideoRequest, context: Context
    ) -> AsyncIterator[gateway_pb2.GenerateVideoResponse]:
        submit = gateway_pb2.SubmitJobRequest(spec=request.spec, request_id=request.request_id)
        job = (await self.SubmitJob(submit, context)).job
        async for response in self.WatchJob(gateway_pb2.WatchJobRequest(job_id=job.id), context):
            yield gateway_pb2.GenerateVideoResponse(event=response.event)

    async def GetJob(
        self, request: gateway_pb2.GetJobRequest, context: Context
    ) -> gateway_pb2.GetJobResponse:
        self._called("GetJob")
        return gateway_pb2.GetJobResponse(job=self._stored(request.job_id).job)

    async def NormalizeText(
        self, request: gateway_pb2.NormalizeTextRequest, context: Context
    ) -> gateway_pb2.NormalizeTextResponse:
        self._called("NormalizeText")
        spoken = tts_pb2.NormalizedText(language=request.language or "en", spoken=request.text.upper())
        return gateway_pb2.NormalizeTextResponse(normalized=spoken)

    async def ListJobs(
        self, request: gateway_pb2.ListJobsRequest, context: Context
    ) -> gateway_pb2.ListJobsResponse:
        self._called("ListJobs")
        jobs = [stored.job for stored in reversed(self.jobs.values())]
        if request.states:
            jobs = [job for job in jobs if job.state in request.states]
        first = int(request.page_token or 0)
        end = first + min(request.page_size or 50, 2)
        token = str(end) if end < len(jobs) else ""
        return gateway_pb2.ListJobsResponse(jobs=jobs[first:end], next_page_token=token)

    async def CancelJob(
        self, request: gateway_pb2.CancelJobRequest, context: Context
    ) -> gateway_pb2.CancelJobResponse:
        self._called("CancelJob")
        stored = self._stored(request.job_id)
        if not ended(stored.job):
            self._happen(stored, _state(gateway_pb2.JOB_STATE_CANCELLED, START + 9))
        return gateway_pb2.CancelJobResponse(job=stored.job)

    async def DeleteJob(
        self, request: gateway_pb2.DeleteJobRequest, context: Context
    ) -> gateway_pb2.DeleteJobResponse:
        self._called("DeleteJob")
        stored = self._stored(request.job_id)
        if not ended(stored.job):
            raise Unmet(Reason.JOB_RUNNING, f"job {request.job_id} is running: cancel it first")
        del self.jobs[request.job_id]
        return gateway_pb2.DeleteJobResponse()

    async def DownloadVideo(
        self, request: gateway_pb2.DownloadVideoRequest, context: Context
    ) -> AsyncIterator[gateway_pb2.DownloadVideoResponse]:
        self._called(f"DownloadVideo from {request.offset}")
        self._stored(request.job_id)
        content = bytes(len(VIDEO)) if self.knobs.corrupt_download else VIDEO
        sent = 0
        for first in range(request.offset, len(content), BLOCK):
            data = content[first : first + BLOCK]
            yield gateway_pb2.DownloadVideoResponse(data=data, video=None if sent else _artifact(VIDEO))
            sent += len(data)
            if 0 < self.knobs.break_download_after <= sent:
                raise Unavailable("restarting", 0.01)

    async def PlanJob(
        self, request: gateway_pb2.PlanJobRequest, context: Context
    ) -> gateway_pb2.PlanJobResponse:
        self._called("PlanJob")
        self._refuse()
        chunks = [
            gateway_pb2.PlannedChunk(
                frames=common_pb2.Span(first=100 * n, end=100 * n + 100),
                worker=f"lipsync-{n % 2}",
                start=duration(0.5 + n // 2 * 2),
                end=duration(2.5 + n // 2 * 2),
            )
            for n in range(self.knobs.chunks)
        ]
        return gateway_pb2.PlanJobResponse(
            format=common_pb2.VideoFormat(
                fps=common_pb2.Rational(numerator=25, denominator=1), width=512, height=512
            ),
            samples=self.knobs.chunks * 192_000,
            frames=self.knobs.chunks * 100,
            chunks=chunks,
            first_chunk=duration(2.5),
            total=duration(4.9),
            total_single=duration(7.1),
            advice="Two workers make it in 4.9 s instead of 7.1 s.",
            avatar=lipsync_pb2.AvatarInfo(
                kind=lipsync_pb2.AVATAR_KIND_PORTRAIT, width=512, height=512, frames=1, faces=1
            ),
        )

    # -------------------------------------------------------- the suite

    async def GetCluster(
        self, request: gateway_pb2.GetClusterRequest, context: Context
    ) -> gateway_pb2.GetClusterResponse:
        self._called("GetCluster")
        match self.knobs.asks:
            case "token":
                raise Unauthenticated("a token is needed")
            case "scope":
                raise Forbidden("ci lacks the scope admin")
            case _:
                pass
        return gateway_pb2.GetClusterResponse(cluster=cluster())

    async def WatchCluster(
        self, request: gateway_pb2.WatchClusterRequest, context: Context
    ) -> AsyncIterator[gateway_pb2.WatchClusterResponse]:
        self._called("WatchCluster")
        for _ in range(2):
            yield gateway_pb2.WatchClusterResponse(cluster=cluster())
        raise Unavailable("restarting", 0.01)

    async def ListVoices(
        self, request: gateway_pb2.ListVoicesRequest, context: Context
    ) -> gateway_pb2.ListVoicesResponse:
        self._called("ListVoices")
        voices = [
            tts_pb2.Voice(
                name="en-us", language="en", description="American", engine="espeak", is_default=True
            ),
            tts_pb2.Voice(name="ru", language="ru", description="Russian", engine="espeak", is_default=True),
        ]
        return gateway_pb2.ListVoicesResponse(
            voices=[v for v in voices if request.language in ("", v.language)]
        )

    async def ListEngines(
        self, request: gateway_pb2.ListEnginesRequest, context: Context
    ) -> gateway_pb2.ListEnginesResponse:
        self._called("ListEngines")
        return gateway_pb2.ListEnginesResponse(engines=[engine()])


def ended(job: gateway_pb2.Job) -> bool:
    """Whether the job is over."""
    return job.state >= gateway_pb2.JOB_STATE_DONE


def engine() -> common_pb2.Engine:
    """The one engine there is."""
    return common_pb2.Engine(
        name="viseme",
        description="Moves the mouth of any face by a smooth warp.",
        engine_class=common_pb2.ENGINE_CLASS_WINDOWED,
        version="1",
        takes_portrait=True,
        takes_video=True,
    )


def cluster() -> gateway_pb2.Cluster:
    """Two workers: one renders, one is lost."""
    busy = lipsync_pb2.Worker(
        name="lipsync-0",
        device=common_pb2.Device(kind="cpu", name="A CPU"),
        engines=[engine()],
        slots=1,
        busy_slots=1,
        frames_per_second={"viseme": 61.5},
        uptime=duration(4000),
        release="0.1.0",
    )
    return gateway_pb2.Cluster(
        workers=[
            gateway_pb2.ClusterWorker(
                address="127.0.0.1:50060",
                state=gateway_pb2.WORKER_STATE_BUSY,
                worker=busy,
                job_id="j" + "0" * 25,
                frames=common_pb2.Span(first=0, end=100),
            ),
            gateway_pb2.ClusterWorker(address="127.0.0.1:50061", state=gateway_pb2.WORKER_STATE_LOST),
        ],
        queued_jobs=2,
        running_jobs=1,
        release="0.1.0",
    )


def script(knobs: Knobs) -> list[gateway_pb2.JobEvent]:
    """The life of a job whose second chunk fails once, three seconds of work a chunk on two workers."""
    events = [
        _state(gateway_pb2.JOB_STATE_QUEUED, START),
        _state(gateway_pb2.JOB_STATE_SPEAKING, START + 0.1),
    ]
    for n in range(knobs.chunks):
        events.append(_speech(n, final=n == knobs.chunks - 1))
        events.extend(_attempts(n))
    if knobs.endless:
        return events
    if knobs.fails:
        return [*events, _state(gateway_pb2.JOB_STATE_FAILED, START + 9, _failed(knobs.fails))]
    done = _done(knobs.chunks)
    end = START + 4 + 3 * knobs.chunks
    return [
        *events,
        _state(gateway_pb2.JOB_STATE_RENDERING, START + 5),
        _state(gateway_pb2.JOB_STATE_MERGING, START + 3 + 3 * knobs.chunks),
        _state(gateway_pb2.JOB_STATE_DONE, end, done),
    ]


def finished_job(knobs: Knobs) -> gateway_pb2.Job:
    """The job that the script leads to."""
    job = gateway_pb2.Job(id=FIRST_JOB, created=timestamp(START), spec=gateway_pb2.JobSpec(text="Hi."))
    for event in script(knobs):
        _learn(job, event)
    return job


def _attempts(n: int) -> list[gateway_pb2.JobEvent]:
    tries = ["failed", "done"] if n == 1 else ["done"]
    events: list[gateway_pb2.JobEvent] = []
    for number, outcome in enumerate(tries):
        begun = START + 1 + 3 * n + number
        chunk = gateway_pb2.Chunk(
            id=f"a{n}-{number}",
            frames=common_pb2.Span(first=100 * n, end=100 * n + 100),
            state=gateway_pb2.CHUNK_STATE_RUNNING,
            worker=f"lipsync-{(n + number) % 2}",
            started=timestamp(begun),
        )
        events.append(gateway_pb2.JobEvent(time=timestamp(begun), chunk=chunk))
        events.extend(_progress(chunk, done, 100 * n + done) for done in (25, 50, 75))
        end = gateway_pb2.Chunk()
        end.CopyFrom(chunk)
        end.finished.CopyFrom(timestamp(begun + (0.5 if outcome == "failed" else 2.5)))
        end.state = gateway_pb2.CHUNK_STATE_FAILED if outcome == "failed" else gateway_pb2.CHUNK_STATE_DONE
        end.error = "the worker went away" if outcome == "failed" else ""
        end.frames_done = 75 if outcome == "failed" else 100
        events.append(gateway_pb2.JobEvent(time=end.finished, chunk=end))
    return events


def _progress(chunk: gateway_pb2.Chunk, done: int, total: int) -> gateway_pb2.JobEvent:
    moved = gateway_pb2.Chunk()
    moved.CopyFrom(chunk)
    moved.frames_done = done
    progress = gateway_pb2.JobProgress(percent=min(99.0, total / 3), eta=duration(7.5), chunks=[moved])
    return gateway_pb2.JobEvent(progress=progress)


def _speech(n: int, *, final: bool) -> gateway_pb2.JobEvent:
    sentence = common_pb2.Sentence(
        index=n, text=f"Sentence {n}.", samples=common_pb2.Span(first=192_000 * n, end=192_000 * (n + 1))
    )
    return gateway_pb2.JobEvent(speech=gateway_pb2.SpeechGrew(sentence=sentence, final=final))


def _state(
    state: gateway_pb2.JobState.ValueType, time: float, more: gateway_pb2.Job | None = None
) -> gateway_pb2.JobEvent:
    job = gateway_pb2.Job(id=FIRST_JOB, state=state)
    if more is not None:
        job.MergeFrom(more)
    if state == gateway_pb2.JOB_STATE_SPEAKING:
        job.started.CopyFrom(timestamp(time))
    if state >= gateway_pb2.JOB_STATE_DONE:
        job.finished.CopyFrom(timestamp(time))
    return gateway_pb2.JobEvent(time=timestamp(time), state=job)


def _failed(message: str) -> gateway_pb2.Job:
    return gateway_pb2.Job(error=status_pb2.Status(code=code_pb2.INTERNAL, message=message))


def _done(chunks: int) -> gateway_pb2.Job:
    total = 4.0 + 3 * chunks
    statistics = gateway_pb2.JobStatistics(
        total=duration(total),
        queue=duration(1),
        speech=duration(4),
        render=duration(3.0 * chunks),
        merge=duration(1),
        first_chunk=duration(3.5),
        worker_time=duration(2.5 * chunks + 0.5),
        wasted_worker_time=duration(0.5),
        chunks=chunks,
        attempts=chunks + 1,
        failed_attempts=1,
        workers=["lipsync-0", "lipsync-1"],
        realtime_factor=4 * chunks / total,
    )
    result = gateway_pb2.JobResult(
        video=_artifact(VIDEO), frames=100 * chunks, samples=192_000 * chunks, statistics=statistics
    )
    return gateway_pb2.Job(
        result=result, percent=100, frames=100 * chunks, samples=192_000 * chunks, speech_final=True
    )


def _learn(job: gateway_pb2.Job, event: gateway_pb2.JobEvent) -> None:
    """Keep the job as its events tell it."""
    if event.HasField("state"):
        job_id = job.id
        job.MergeFrom(event.state)
        job.id = job_id
        event.state.CopyFrom(job)
        event.state.ClearField("chunks")
    elif event.HasField("chunk"):
        others = [chunk for chunk in job.chunks if chunk.id != event.chunk.id]
        del job.chunks[:]
        job.chunks.extend(sorted([*others, event.chunk], key=lambda chunk: (chunk.frames.first, chunk.id)))
    elif event.HasField("progress"):
        job.percent = event.progress.percent


def _artifact(content: bytes) -> common_pb2.ArtifactRef:
    return common_pb2.ArtifactRef(sha256=hashlib.sha256(content).hexdigest(), size_bytes=len(content))


async def _main(knobs: Knobs, port: int) -> None:
    gateway = FakeGateway(knobs)
    gateway.echo = True
    async with gateway.serving(port) as running:
        print(running.address, flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(_main(Knobs(**json.loads(sys.argv[1])), int(sys.argv[2]) if len(sys.argv) > 2 else 0))
