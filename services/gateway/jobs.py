"""What clients do with jobs: submit, look, cancel, delete, download."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from weakref import WeakValueDictionary

from mouthpiece.artifacts import ArtifactStore
from mouthpiece.core.timeline import frame_count
from mouthpiece.errors import AlreadyExists, BadInput, MouthpieceError, NotFound, Reason, Unmet
from mouthpiece.rpc.convert import artifact_from_proto, artifact_to_proto, engine_to_proto, timestamp
from mouthpiece.rpc.status import from_proto
from mouthpiece.v1.common_pb2 import Segment
from mouthpiece.v1.gateway_pb2 import (
    JOB_STATE_CANCELLED,
    JOB_STATE_DONE,
    JOB_STATE_FAILED,
    JOB_STATE_QUEUED,
    DownloadVideoResponse,
    Job,
    JobEvent,
    JobSpec,
    JobState,
    PlanJobResponse,
)
from services.gateway.admission import Admission, Admitted
from services.gateway.director import Director
from services.gateway.fleet import Fleet
from services.gateway.ids import new_job_id
from services.gateway.planning import plan
from services.gateway.run import stamp
from services.gateway.speaking import speech_key
from services.gateway.store import ENDED, JobStore
from services.gateway.watching import Watching

MAX_PAGE = 1000
DEFAULT_PAGE = 50
MAX_REQUEST_ID = 128


class Jobs:
    """All jobs there are, running or ended."""

    def __init__(
        self,
        admission: Admission,
        fleet: Fleet,
        director: Director,
        store: JobStore,
        artifacts: ArtifactStore,
        watching: Watching,
    ) -> None:
        self._admission = admission
        self._fleet = fleet
        self._director = director
        self._store = store
        self._artifacts = artifacts
        self._watching = watching
        self._submitting: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def submit(self, spec: JobSpec, request_id: str) -> Job:
        """Check and store a job, then begin it. With a known request id: the job that it made."""
        if len(request_id) > MAX_REQUEST_ID:
            raise BadInput("request_id", f"is longer than {MAX_REQUEST_ID} characters")
        if not request_id:
            return await self._accept(spec, "")
        lock = self._submitting.setdefault(request_id, asyncio.Lock())
        async with lock:
            known = await self._store.job_by_request(request_id)
            return _same(known, spec) if known is not None else await self._accept(spec, request_id)

    async def _accept(self, spec: JobSpec, request_id: str) -> Job:
        try:
            admitted = await self._admission.admit(spec)
        except MouthpieceError:
            await self._discard_assets(spec)
            raise
        job = _new_job(spec, request_id, admitted)
        run = self._director.offer(job, admitted.engine)
        try:
            await self._store.add_job(job, speech_key(spec), stamp(JobEvent(state=job), job, 1))
        except BaseException:
            self._director.withdraw(run)
            raise
        self._director.begin(run)
        return run.snapshot()

    async def plan(self, spec: JobSpec) -> PlanJobResponse:
        """What submitting a spec would do."""
        admitted = await self._admission.admit(spec)
        now = asyncio.get_running_loop().time()
        return plan(self._director.scheduler, now, self._fleet, spec, admitted)

    async def _discard_assets(self, spec: JobSpec) -> None:
        """A refused job leaves nothing behind: its assets go, unless other jobs use them."""
        for sha256 in (spec.audio_sha256, spec.avatar_sha256):
            if len(sha256) == 64 and not await self._store.is_referred_to(sha256):
                await self._artifacts.delete(sha256)

    async def get(self, job_id: str) -> Job:
        """A job with its chunks. Raises `NotFound`."""
        run = self._director.runs.get(job_id)
        if run is not None:
            return run.snapshot()
        job = await self._stored(job_id)
        attempts = await self._store.attempts(job_id)
        job.chunks.extend(sorted((a.chunk for a in attempts), key=lambda c: (c.frames.first, c.id)))
        return job

    async def _stored(self, job_id: str) -> Job:
        job = await self._store.job(job_id)
        if job is None:
            raise NotFound(f"no job {job_id!r}")
        return job

    async def page(self, size: int, token: str, states: list[JobState.ValueType]) -> tuple[list[Job], str]:
        """Jobs, newest first, and the token of the next page."""
        if not 0 <= size <= MAX_PAGE:
            raise BadInput("page_size", f"is not between 0 and {MAX_PAGE}")
        if token and not (token.startswith("j") and len(token) == 26):
            raise BadInput("page_token", "is not one of ours")
        size = size or DEFAULT_PAGE
        jobs = await self._store.jobs(limit=size + 1, before=token, states=states)
        shown = [self._live(job) for job in jobs[:size]]
        return shown, shown[-1].id if len(jobs) > size else ""

    def _live(self, job: Job) -> Job:
        run = self._director.runs.get(job.id)
        if run is not None:
            job = run.snapshot()
            job.ClearField("chunks")
        return job

    async def cancel(self, job_id: str) -> Job:
        """Stop a job; one that has ended stays as it is."""
        run = self._director.runs.get(job_id)
        if run is not None:
            await self._director.cancel(run)
        return await self.get(job_id)

    async def delete(self, job_id: str) -> None:
        """Forget a job that has ended, and its video unless another job has the same."""
        job = await self._stored(job_id)
        if job.state not in ENDED:
            raise Unmet(Reason.JOB_RUNNING, f"job {job_id} is still running: cancel it first")
        await self._store.delete_job(job_id)
        video = job.result.video.sha256
        if video and not await self._store.is_referred_to(video):
            await self._artifacts.delete(video)

    async def watch(self, job_id: str, from_sequence: int) -> AsyncGenerator[JobEvent]:
        """The events of a job from a sequence number on."""
        if from_sequence < 0:
            raise BadInput("from_sequence", "is negative")
        if job_id not in self._director.runs:
            await self._stored(job_id)
        async for event in self._watching.watch(job_id, from_sequence):
            yield event

    async def download(self, job_id: str, offset: int, length: int) -> AsyncGenerator[DownloadVideoResponse]:
        """The video of a job, or a range of it."""
        job = await self._stored(job_id)
        if job.state != JOB_STATE_DONE:
            name = JobState.Name(job.state).removeprefix("JOB_STATE_").lower()
            raise Unmet(Reason.JOB_NOT_DONE, f"job {job_id} is {name}")
        video = artifact_from_proto(job.result.video)
        if not 0 <= offset <= video.size_bytes or length < 0:
            raise BadInput("offset", f"the video has {video.size_bytes} bytes")
        yield DownloadVideoResponse(video=artifact_to_proto(video))
        async for block in self._artifacts.read(video.sha256, offset, length):
            yield DownloadVideoResponse(data=block)

    async def segments(self, job_id: str) -> tuple[Job, list[Segment]]:
        """A job, and what can be played of its video: all of it once the job has ended. Raises `NotFound`."""
        job = await self._stored(job_id)
        return job, await self._store.segments(job_id)

    async def segment(self, job_id: str, index: int) -> Segment:
        """One of them. Raises `NotFound`."""
        found = await self._store.segments(job_id, index, 1)
        if not found or found[0].index != index:
            raise NotFound(f"job {job_id!r} has no segment {index}")
        return found[0]

    async def follow(self, job_id: str) -> AsyncGenerator[DownloadVideoResponse]:
        """The video of a job from its first frame on as fragmented MP4, as it grows."""
        begun = False
        async for event in self.watch(job_id, 1):
            segment = event.segment
            for part in (segment.media,) if begun else (segment.init, segment.media):
                if part.sha256:
                    begun = True
                    async for block in self._artifacts.read(part.sha256):
                        yield DownloadVideoResponse(data=block)
            if event.state.state == JOB_STATE_FAILED:
                raise from_proto(event.state.error)
            if event.state.state == JOB_STATE_CANCELLED:
                raise Unmet(Reason.JOB_NOT_DONE, f"job {job_id} was cancelled")


def _same(job: Job, spec: JobSpec) -> Job:
    if job.spec != spec:
        raise AlreadyExists(f"request id {job.request_id!r} was used with another spec")
    return job


def _new_job(spec: JobSpec, request_id: str, admitted: Admitted) -> Job:
    format_ = admitted.format
    job = Job(
        id=new_job_id(),
        spec=spec,
        state=JOB_STATE_QUEUED,
        created=timestamp(time.time()),
        format=format_,
        samples=admitted.outline.expected_samples,
        warnings=admitted.avatar.warnings,
        last_sequence=1,
        request_id=request_id,
        engine=engine_to_proto(admitted.engine),
        seed=admitted.seed,
        language=admitted.outline.language,
        voice=admitted.outline.voice,
    )
    job.frames = frame_count(job.samples, admitted.fps)
    return job
