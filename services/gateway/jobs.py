"""What clients do with jobs: submit, look, cancel, delete, download."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Literal
from weakref import WeakValueDictionary

from mouthpiece.artifacts import ArtifactStore, is_sha256
from mouthpiece.core.engines import EngineInfo
from mouthpiece.core.scheduler import Scheduler
from mouthpiece.core.timeline import frame_count
from mouthpiece.errors import (
    AlreadyExists,
    BadInput,
    Busy,
    MouthpieceError,
    NotFound,
    Reason,
    Unavailable,
    Unmet,
)
from mouthpiece.rpc import tracing
from mouthpiece.rpc.convert import artifact_from_proto, artifact_to_proto, engine_to_proto, timestamp, unix
from mouthpiece.rpc.states import state_name
from mouthpiece.rpc.status import from_proto
from mouthpiece.v1.common_pb2 import Segment
from mouthpiece.v1.gateway_pb2 import (
    JOB_STATE_CANCELLED,
    JOB_STATE_DONE,
    JOB_STATE_FAILED,
    JOB_STATE_QUEUED,
    RESULT_FILE_CAPTIONS_SRT,
    RESULT_FILE_CAPTIONS_VTT,
    RESULT_FILE_POSTER,
    RESULT_FILE_VIDEO,
    DownloadVideoResponse,
    Job,
    JobEvent,
    JobSpec,
    JobState,
    PlanJobResponse,
    ResultFile,
)
from services.gateway import metrics
from services.gateway.access import Tenant, current_caller
from services.gateway.admission import Admission, Admitted, warnings_of
from services.gateway.database import StoreAway
from services.gateway.director import UNFINISHED, Director, resumption
from services.gateway.fleet import Fleet
from services.gateway.foresight import foresee
from services.gateway.ids import is_job_id, new_job_id
from services.gateway.outlook import engine_key
from services.gateway.planning import add_range, plan
from services.gateway.provenance import begun
from services.gateway.records import ENDED, assets
from services.gateway.room import Room
from services.gateway.run import JobRun, recall, stamp
from services.gateway.seat import Seat
from services.gateway.speaking import speech_key
from services.gateway.speech import SpeechLibrary
from services.gateway.store import JobStore
from services.gateway.watching import Watching

MAX_PAGE = 1000
DEFAULT_PAGE = 50
LEARNED_FROM = 100
"""Latest jobs from which the range of a plan is told."""
CALL_OFF_SECONDS = 20.0
"""How long a job that another gateway has may take to end; a new leader may have to be found first."""
MAX_REQUEST_ID = 128


_ResultField = Literal["video", "captions_vtt", "captions_srt", "poster"]
_RESULT_FIELDS: dict[ResultFile.ValueType, _ResultField] = {
    RESULT_FILE_CAPTIONS_VTT: "captions_vtt",
    RESULT_FILE_CAPTIONS_SRT: "captions_srt",
    RESULT_FILE_POSTER: "poster",
}
"""Fields of a job's result by the file that is asked for; all others mean the video."""


class Jobs:
    """All jobs there are, running or ended."""

    def __init__(
        self,
        admission: Admission,
        fleet: Fleet,
        seat: Seat,
        store: JobStore,
        artifacts: ArtifactStore,
        watching: Watching,
        limits: Callable[[str], Tenant],
        room: Room,
    ) -> None:
        self._room = room
        self._admission = admission
        self._fleet = fleet
        self._seat = seat
        self._store = store
        self._artifacts = artifacts
        self._watching = watching
        self._limits = limits
        self._submitting: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def submit(self, spec: JobSpec, request_id: str) -> Job:
        """Check and store a job, then begin it. With a known request id: the job that it made."""
        with tracing.doing("submit") as span:
            job = await self._submit(spec, request_id)
            span.note(job=job.id)
            return job

    async def _submit(self, spec: JobSpec, request_id: str) -> Job:
        if len(request_id) > MAX_REQUEST_ID:
            raise BadInput("request_id", f"is longer than {MAX_REQUEST_ID} characters")
        if "\0" in request_id:  # PostgreSQL has no such text
            raise BadInput("request_id", "holds a NUL character")
        if not request_id:
            return await self._accept(spec, "")
        tenant = current_caller().tenant
        lock = self._submitting.setdefault(f"{tenant}/{request_id}", asyncio.Lock())
        async with lock:
            known = await self._store.job_by_request(request_id, tenant)
            return _same(known, spec) if known is not None else await self._accept(spec, request_id)

    async def _accept(self, spec: JobSpec, request_id: str) -> Job:
        try:
            await self._check_quota()
            await self._room.check()
            await self._check_previous(spec)
            admitted = await self._admission.admit(spec)
        except (Busy, Unavailable):  # the caller comes back, and does not send its files again
            raise
        except MouthpieceError:
            await self._discard_assets(spec)
            raise
        job = _new_job(spec, request_id, admitted)
        # A caller who hangs up does not leave a job stored that nobody works on.
        taking: asyncio.Task[Job] = asyncio.create_task(self._take(job, admitted.engine))
        return await asyncio.shield(taking)

    async def _take(self, job: Job, engine: EngineInfo) -> Job:
        director = self._seat.director
        try:
            if director is None:
                return await self._hand_over(job, engine)
            return await self._begin(director, job, engine)
        except AlreadyExists:
            # Another gateway was asked at the same time.
            known = await self._store.job_by_request(job.request_id, job.tenant)
            if known is None:
                raise
            return _same(known, job.spec)

    async def _begin(self, director: Director, job: Job, engine: EngineInfo) -> Job:
        run = director.offer(job, engine)
        _warn_of_lateness(run)
        try:
            await self._add(job, run.estimate.done if run.estimate is not None else 0.0)
        except BaseException as error:
            director.withdraw(run)
            if isinstance(error, StoreAway):
                director.step_down(error)
            raise
        director.begin(run)
        return run.snapshot()

    async def _hand_over(self, job: Job, engine: EngineInfo) -> Job:
        """Store a job for the leader, which hears of it."""
        if not self._store.shared:
            raise Unavailable("the gateway takes up its jobs")
        wait = self._seat.outlook.refusals.get(engine_key(engine.name, engine.version), 0.0)
        if wait:
            raise Busy("the queue is full", wait)
        await self._add(job, 0.0)
        return job

    async def _add(self, job: Job, promised: float) -> None:
        first = stamp(JobEvent(state=job), job, 1)
        await self._store.add_job(job, speech_key(job.spec), first, promised, tracing.context())

    async def _check_previous(self, spec: JobSpec) -> None:
        if not spec.previous_job_id:
            return
        try:
            await self._stored(spec.previous_job_id)
        except NotFound as error:
            raise BadInput("spec.previous_job_id", error.message) from None

    async def _check_quota(self) -> None:
        tenant = current_caller().tenant
        most = self._limits(tenant).max_jobs
        if most and await self._store.unfinished(tenant) >= most:
            raise Busy(f"tenant {tenant!r} has {most} jobs that wait or run, and may have no more", 10.0)

    async def plan(self, spec: JobSpec) -> PlanJobResponse:
        """What submitting a spec would do."""
        admitted = await self._admission.admit(spec)
        now = asyncio.get_running_loop().time()
        job = _new_job(spec, "", admitted)
        run = JobRun(job, admitted.engine, self._store, self._watching)
        known = await foresee(run, admitted.outline.plan, SpeechLibrary(self._artifacts))
        scheduler = await self._scheduler(now)
        planned = plan(scheduler, now, self._fleet, job, admitted, self._limits(job.tenant).weight, known)
        add_range(planned, await self._store.history.surprises(admitted.engine.name, LEARNED_FROM))
        return planned

    async def _scheduler(self, now: float) -> Scheduler:
        """The scheduler if it is here, else one that knows the stored jobs and what the leader has told."""
        if self._seat.director is not None:
            return self._seat.director.scheduler
        scheduler = Scheduler()
        for offer in self._fleet.offers():
            scheduler.handle(now, self._seat.outlook.remind(offer))
        for job in await self._store.jobs(limit=MAX_PAGE, states=UNFINISHED, oldest_first=True):
            run = await recall(job, self._store, self._watching)
            scheduler.handle(now, resumption(run, self._limits(job.tenant).weight))
        return scheduler

    async def _discard_assets(self, spec: JobSpec) -> None:
        """A refused job leaves nothing behind: its assets go, unless others use them or have sent them."""
        own = {current_caller().tenant} - {""}
        for sha256 in assets(spec):
            if not is_sha256(sha256) or await self._store.is_referred_to(sha256):
                continue
            if await self._store.asset_senders(sha256) == own:
                await self._artifacts.delete(sha256)

    async def get(self, job_id: str) -> Job:
        """A job with its chunks. Raises `NotFound`."""
        run = self._run(job_id)
        if run is not None:
            return run.snapshot()
        job = self._live(await self._stored(job_id))
        attempts = await self._store.attempts(job_id)
        job.chunks.extend(sorted((a.chunk for a in attempts), key=lambda c: (c.frames.first, c.id)))
        return job

    def _run(self, job_id: str) -> JobRun | None:
        """A job that is at work in this process."""
        director = self._seat.director
        run = None if director is None else director.runs.get(job_id)
        return run if run is not None and current_caller().may_see(run.job.tenant) else None

    async def _stored(self, job_id: str) -> Job:
        """A job of the caller's. Raises `NotFound`."""
        job = await self._store.job(job_id) if is_job_id(job_id) else None
        if job is None or not current_caller().may_see(job.tenant):
            raise NotFound(f"no job {job_id!r}")
        return job

    async def page(self, size: int, token: str, states: list[JobState.ValueType]) -> tuple[list[Job], str]:
        """Jobs, newest first, and the token of the next page."""
        if not 0 <= size <= MAX_PAGE:
            raise BadInput("page_size", f"is not between 0 and {MAX_PAGE}")
        if token and not is_job_id(token):
            raise BadInput("page_token", "is not one of ours")
        size = size or DEFAULT_PAGE
        tenant = current_caller().tenant
        jobs = await self._store.jobs(limit=size + 1, before=token, states=states, tenant=tenant)
        shown = [self._live(job) for job in jobs[:size]]
        for job in shown:
            job.provenance.ClearField("chunks")
        return shown, shown[-1].id if len(jobs) > size else ""

    def _live(self, job: Job) -> Job:
        """A stored job with what is known of it beyond that."""
        run = self._run(job.id)
        if run is None:
            return job if job.state in ENDED else self._seat.outlook.show(job)
        job = run.snapshot()
        job.ClearField("chunks")
        return job

    async def cancel(self, job_id: str) -> Job:
        """Stop a job; one that has ended stays as it is."""
        run = self._run(job_id)
        if run is not None and self._seat.director is not None:
            await self._seat.director.cancel(run)
        elif (await self._stored(job_id)).state not in ENDED:
            await self._call_off(job_id)
        return await self.get(job_id)

    async def _call_off(self, job_id: str) -> None:
        """Have the leader stop a job, and wait until it has."""
        await self._store.call_off(job_id)
        try:
            watch = self._watching.watch(job_id, 1, self._stored)
            async with asyncio.timeout(CALL_OFF_SECONDS), aclosing(watch) as events:
                async for _ in events:
                    pass
        except TimeoutError:
            raise Unavailable(f"job {job_id} is called off, but has not ended yet") from None

    async def delete(self, job_id: str) -> None:
        """Forget a job that has ended, and what it made unless another job has the same."""
        job = await self._stored(job_id)
        if job.state not in ENDED:
            raise Unmet(Reason.JOB_RUNNING, f"job {job_id} is still running: cancel it first")
        await self._store.delete_job(job_id)
        self._watching.end(job_id)
        made = job.result
        for file in (made.video, made.poster, made.captions_vtt, made.captions_srt):
            if file.sha256 and not await self._store.is_referred_to(file.sha256):
                await self._artifacts.delete(file.sha256)

    async def watch(self, job_id: str, from_sequence: int) -> AsyncGenerator[JobEvent]:
        """The events of a job from a sequence number on."""
        if from_sequence < 0:
            raise BadInput("from_sequence", "is negative")
        find = self._stored if self._run(job_id) is None else None
        async with aclosing(self._watching.watch(job_id, from_sequence, find)) as events:
            async for event in events:
                yield event

    async def download(
        self, job_id: str, offset: int, length: int, file: ResultFile.ValueType = RESULT_FILE_VIDEO
    ) -> AsyncGenerator[DownloadVideoResponse]:
        """A file that a job made, or a range of it."""
        job = await self._stored(job_id)
        if job.state != JOB_STATE_DONE:
            raise Unmet(Reason.JOB_NOT_DONE, f"job {job_id} is {state_name(job.state)}")
        field: _ResultField = _RESULT_FIELDS.get(file, "video")
        if not job.result.HasField(field):
            raise NotFound(f"job {job_id} has no {field.partition('_')[0]}")
        found = artifact_from_proto(getattr(job.result, field))
        if not 0 <= offset <= found.size_bytes or length < 0:
            raise BadInput("offset", f"the file has {found.size_bytes} bytes")
        yield DownloadVideoResponse(video=artifact_to_proto(found))
        async for block in metrics.sending(self._artifacts.read(found.sha256, offset, length)):
            yield DownloadVideoResponse(data=block)

    async def segments(self, job_id: str) -> tuple[Job, list[Segment]]:
        """A job, and what can be played of its video: all of it once the job has ended. Raises `NotFound`."""
        job = await self._stored(job_id)
        return job, await self._store.segments(job_id)

    async def segment(self, job_id: str, index: int) -> Segment:
        """One of them. Raises `NotFound`."""
        await self._stored(job_id)
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
                    async for block in metrics.sending(self._artifacts.read(part.sha256)):
                        yield DownloadVideoResponse(data=block)
            if event.state.state == JOB_STATE_FAILED:
                raise from_proto(event.state.error)
            if event.state.state == JOB_STATE_CANCELLED:
                raise Unmet(Reason.JOB_NOT_DONE, f"job {job_id} was cancelled")


def _warn_of_lateness(run: JobRun) -> None:
    if run.estimate is None or not run.spec.HasField("deadline"):
        return
    late = time.time() + run.estimate.done - unix(run.spec.deadline)
    if late > 0:
        run.job.warnings.append(f"the video is expected {late:.0f} s after its deadline")


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
        warnings=warnings_of(spec, admitted),
        last_sequence=1,
        request_id=request_id,
        engine=engine_to_proto(admitted.engine),
        seed=admitted.seed,
        encoder=admitted.encoder,
        language=admitted.outline.language,
        voice=admitted.outline.voice,
        tenant=current_caller().tenant,
        provenance=begun(spec, admitted.outline, admitted.label),
    )
    job.frames = frame_count(job.samples, admitted.fps)
    return job
