"""Carries out what the scheduler decides: the one place where decisions become calls.

Everything runs on one event loop, and `tell` never waits: commands become tasks. A fact is stored before the
scheduler hears of it, so that whatever the scheduler knows survives the process.

A director lasts for one term. When the store does not answer, or says that another gateway leads, it is
`over`: what it holds in memory may differ from what is stored, so it is closed, and the next term begins from
the store. Calls to workers end with it, and the chunks that they were rendering are rendered again: a call is
the lease of its worker, and nobody else can take it up.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace

from mouthpiece.core.engines import EngineInfo
from mouthpiece.core.scheduler import Scheduler
from mouthpiece.core.scheduler.events import (
    Abort,
    ChunkLost,
    ChunkStopped,
    Command,
    Complete,
    Eta,
    Event,
    Fail,
    JobCancelled,
    JobSubmitted,
    Refuse,
    Render,
    Segment,
    Stuck,
    Tick,
    WakeAt,
)
from mouthpiece.core.timeline import Span
from mouthpiece.errors import Busy, MouthpieceError, as_told
from mouthpiece.logs import tag_logs
from mouthpiece.rpc import tracing
from mouthpiece.rpc.convert import unix
from mouthpiece.rpc.status import to_proto
from mouthpiece.rpc.tracing import JobTrace
from mouthpiece.v1 import gateway_pb2
from mouthpiece.v1.gateway_pb2 import (
    CHUNK_STATE_CANCELLED,
    CHUNK_STATE_RUNNING,
    JOB_STATE_CANCELLED,
    JOB_STATE_DONE,
    JOB_STATE_FAILED,
    JOB_STATE_MERGING,
    JOB_STATE_QUEUED,
    JOB_STATE_RENDERING,
    JOB_STATE_SPEAKING,
    Job,
    JobResult,
)
from mouthpiece.v1.merger_pb2 import MergeResult
from services.gateway import metrics
from services.gateway.access import Tenant
from services.gateway.chunks import Chunks
from services.gateway.database import StoreAway
from services.gateway.merging import Merging
from services.gateway.outlook import Outlook, survey
from services.gateway.records import ENDED, Attempt
from services.gateway.rendering import Renderer
from services.gateway.report import outcome, report, statistics
from services.gateway.run import Estimate, JobRun, end_chunk, mergeable, recall, submission
from services.gateway.spans import attempt_key
from services.gateway.speaking import Speaker
from services.gateway.store import JobStore
from services.gateway.stuck import given_up, stuck_seconds, waiting
from services.gateway.watching import Watching

log = logging.getLogger(__name__)

UNFINISHED = (JOB_STATE_QUEUED, JOB_STATE_SPEAKING, JOB_STATE_RENDERING, JOB_STATE_MERGING)


class Director:
    """All jobs that have not ended, and the scheduler that decides about them."""

    def __init__(
        self,
        scheduler: Scheduler,
        store: JobStore,
        watching: Watching,
        chunks: Chunks,
        tenants: Callable[[str], Tenant] = lambda _: Tenant(),
        ailment: Callable[[str], MouthpieceError | None] = lambda _: None,
    ) -> None:
        """`tenants` tells a tenant's share of a busy cluster, and its class; `ailment` what workers say of an
        engine that none of them can render with."""
        self.scheduler = scheduler
        self.runs: dict[str, JobRun] = {}
        self._store = store
        self._chunks = chunks
        self._tenants = tenants
        self._ailment = ailment
        self._watching = watching
        self._loop = asyncio.get_running_loop()
        self.over: asyncio.Future[StoreAway] = self._loop.create_future()
        """Set to what ended the term."""
        self._alarm: asyncio.TimerHandle | None = None
        self._jobs: dict[str, asyncio.Task[None]] = {}
        self._attempts: dict[tuple[str, str], asyncio.Task[None]] = {}
        self._errands: set[asyncio.Task[None]] = set()
        self._arriving = asyncio.Lock()
        self._draining = False
        self._closed = False

    def equip(self, speaker: Speaker, renderer: Renderer, merging: Merging) -> None:
        """Give it the hands that do the work; they tell it what happens."""
        self._speaker = speaker
        self._renderer = renderer
        self._merging = merging

    # ------------------------------------------------------------ in

    def tell(self, event: Event) -> None:
        """Let the scheduler know, and do what it wants; nothing once closed."""
        if self._closed:
            return
        self._do_all(self.scheduler.handle(self._loop.time(), event))

    def _do_all(self, commands: list[Command]) -> None:
        for command in commands:
            self._do(command)

    def offer(self, job: Job, engine: EngineInfo) -> JobRun:
        """Ask the scheduler to take a new job; it does nothing for it before `begin`. Raises `Busy`."""
        trace = JobTrace(job.id, tracing.context())
        run = JobRun(job, engine, self._store, self._watching, trace)
        commands = self.scheduler.handle(
            self._loop.time(), submission(job, engine, self._tenants(job.tenant).weight)
        )
        for command in commands:
            if isinstance(command, Refuse) and command.job == job.id:
                raise Busy("the queue is full", command.retry_after)
        self.runs[job.id] = run
        self._do_all(commands)
        return run

    def begin(self, run: JobRun) -> None:
        """Start working on a job that is stored."""
        metrics.job_taken(run.job, self._tenants(run.job.tenant).tenant_class, begun=bool(run.attempts))
        self._watching.begin(run.id)
        self._jobs[run.id] = self._loop.create_task(self._carry(run))

    def withdraw(self, run: JobRun) -> None:
        """Forget a job that could not be stored."""
        self.tell(JobCancelled(run.id))
        self.runs.pop(run.id, None)

    async def restore(self) -> None:
        """Take up all stored jobs that have not ended, done chunks included. Raises `StoreAway`."""
        for job in await self._store.jobs(limit=1_000_000, states=UNFINISHED, oldest_first=True):
            await self._fetch(job.id)
        for job_id in await self._store.called_off():
            await self._call_off(job_id)

    async def _fetch(self, job_id: str) -> None:
        """Take up a job as it is stored, unless it is here or has ended; returns when it is here."""
        async with self._arriving:
            job = None if job_id in self.runs else await self._store.job(job_id)
            if job is not None and job.state not in ENDED:
                await self._take_up(job)

    async def _take_up(self, job: Job) -> None:
        run = await self._recall(job)
        self.runs[run.id] = run
        self.tell(resumption(run, self._tenants(run.job.tenant).weight))
        self.begin(run)
        log.info("took up job %s", run.id)

    async def _recall(self, job: Job) -> JobRun:
        run = await recall(job, self._store, self._watching)
        for attempt_id in list(run.attempts):
            await _check_attempt(run, run.attempts[attempt_id], self._chunks)
        return run

    # ------------------------------------------------------------ what other gateways want

    def catch_up(self) -> None:
        """Look at all that may have been said while nobody listened."""
        self.accompany(self.restore())

    def submitted(self, job_id: str) -> None:
        """Another gateway accepted a job."""
        self.accompany(self._fetch(job_id))

    def called_off(self, job_id: str) -> None:
        """Somebody wants a job cancelled."""
        self.accompany(self._call_off(job_id))

    async def _call_off(self, job_id: str) -> None:
        await self._fetch(job_id)
        run = self.runs.get(job_id)
        if run is not None:
            await self.cancel(run)

    def outlook(self) -> Outlook:
        """How things stand, for the gateways that do not lead."""
        return survey(list(self.runs.values()), self.scheduler.state)

    def accompany(self, work: Coroutine[None, None, None]) -> None:
        """Do something besides, which ends with the term; and the term with it if it finds the store away."""
        task = self._loop.create_task(self._until_over(work))
        self._errands.add(task)
        task.add_done_callback(self._errands.discard)

    async def _until_over(self, work: Coroutine[None, None, None]) -> None:
        try:
            await work
        except StoreAway as error:
            self.step_down(error)

    def step_down(self, error: StoreAway) -> None:
        """The store is away, or not ours to write to any more."""
        if not self.over.done():
            log.warning("nothing more is scheduled here: %s", error.message)
            self.over.set_result(error)

    # ------------------------------------------------------------ the ends of jobs

    async def cancel(self, run: JobRun) -> None:
        """Stop a job; returns when it has ended."""
        self.tell(JobCancelled(run.id))
        await self._end(run, JOB_STATE_CANCELLED, None)

    async def change_engine(self, run: JobRun, engine: EngineInfo) -> None:
        """Render a job anew with another version of its engine. Raises `StoreAway`."""
        log.warning("job %s goes on with %s %s", run.id, engine.name, engine.version)
        self.tell(JobCancelled(run.id))
        await self._halt(run)
        await run.start_over(engine)
        _leave(run)
        self._forget(run)
        await self._fetch(run.id)

    async def take_back(self, run: JobRun, lost: Sequence[Span]) -> None:
        """Have segments of a run rendered again, for their artifacts are damaged or gone."""
        for span in lost:
            await run.lose(span)
        kept = 0 if run.complete else run.segments.index(lost[0])
        del run.segments[kept:]
        if run.complete:
            run.complete = False
            self.tell(resumption(run, self._tenants(run.job.tenant).weight))
            await self._speaker.speak(run)
        else:
            for span in lost:
                self.tell(ChunkLost(run.id, span, run.playable_frames))

    async def drain(self) -> None:
        """Let running attempts end, without beginning new ones."""
        self._draining = True
        if self._attempts:
            await asyncio.wait(self._attempts.values())

    async def close(self) -> None:
        """Stop everything where it is; the store knows enough to go on."""
        self._draining = self._closed = True
        if self._alarm is not None:
            self._alarm.cancel()
        tasks = [*self._jobs.values(), *self._attempts.values(), *self._errands]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for job_id in self._jobs:
            _leave(self.runs[job_id])
        self._jobs.clear()
        self.runs.clear()
        self._watching.abandon()

    # ------------------------------------------------------------ out

    def _do(self, command: Command) -> None:
        match command:
            case WakeAt():
                self._set_alarm(command.at)
            case Refuse():
                log.error("the scheduler refused job %s, which was restored", command.job)
            case Abort():
                self._abort(command)
            case Render():
                self._render(command)
            case _:
                run = self.runs.get(command.job)
                if run is not None:
                    self._change(run, command)

    def _change(self, run: JobRun, command: Segment | Complete | Fail | Stuck | Eta) -> None:
        match command:
            case Segment():
                run.segments.append(command.span)
                run.move()
            case Complete():
                run.complete = True
                run.move()
            case Fail(stuck=0.0):
                self._finish(run, JOB_STATE_FAILED, MouthpieceError(command.reason))
            case Fail():
                ailment = self._ailment(run.engine.name)
                self._finish(run, JOB_STATE_FAILED, given_up(command, run.engine, ailment))
            case Stuck():
                self.accompany(run.wait(self._waiting(run, command)))
            case Eta():
                run.estimate = Estimate(command.first, command.done, command.ahead)
                run.show()

    def _waiting(self, run: JobRun, command: Stuck) -> gateway_pb2.Waiting | None:
        if not command.seconds:
            return None
        patience = self.scheduler.state.tuning.most_stuck
        return waiting(command, run.engine, self._ailment(run.engine.name), patience)

    def _set_alarm(self, at: float) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm = self._loop.call_at(at, self.tell, Tick())

    def _abort(self, command: Abort) -> None:
        task = self._attempts.get((command.job, command.attempt))
        if task is not None:
            task.cancel()
        else:
            self._loop.call_soon(self.tell, ChunkStopped(command.job, command.attempt))

    def _render(self, command: Render) -> None:
        if self._draining or command.job not in self.runs:
            return
        key, run = (command.job, command.attempt), self.runs[command.job]
        metrics.attempt_started(run.id, run.engine.name, _kind(run, command))
        task = self._loop.create_task(self._until_over(self._attempt(run, command)))
        self._attempts[key] = task

        def ended(_task: asyncio.Task[None]) -> None:
            # A task that was cancelled before it began has told nobody.
            self._attempts.pop(key, None)
            if _task.cancelled():
                metrics.attempt_stopped(run.engine.name)
                self.tell(ChunkStopped(*key))

        task.add_done_callback(ended)

    async def _attempt(self, run: JobRun, command: Render) -> None:
        tag_logs(job=run.id, attempt=command.attempt, worker=command.worker)
        run.trace.enter(attempt_key(command.attempt))
        try:
            events = await self._renderer.attempt(run, command)
        except asyncio.CancelledError:
            attempt = run.attempts.get(command.attempt)
            if attempt is not None and not self._draining:
                await self._until_over(run.update_chunk(attempt))
            raise
        except StoreAway:
            raise
        except Exception as error:
            log.exception("job %s: attempt %s failed", run.id, command.attempt)
            events = await self._renderer.give_up(run, command, as_told(error))
        for event in events:
            metrics.attempt_ended(run.engine.name, event)
            self.tell(event)

    # ------------------------------------------------------------ a job's life

    async def _carry(self, run: JobRun) -> None:
        """From the first word to the finished file."""
        tag_logs(job=run.id)
        run.trace.enter("merge")
        merging = self._loop.create_task(self._merging.merge(run))
        run.trace.enter("speech")
        try:
            await self._speaker.speak(run)
            speech_end = time.time()
            while not run.complete:
                await run.moved.wait()
            await run.enter(JOB_STATE_MERGING)
            await self._succeed(run, await merging, speech_end)
        except StoreAway as error:
            self.step_down(error)
        except MouthpieceError as error:
            self.tell(JobCancelled(run.id))
            self._finish(run, JOB_STATE_FAILED, error)
        except Exception as error:
            log.exception("job %s failed", run.id)
            self.tell(JobCancelled(run.id))
            self._finish(run, JOB_STATE_FAILED, as_told(error))
        finally:
            merging.cancel()
            await asyncio.gather(merging, return_exceptions=True)

    async def _succeed(self, run: JobRun, merged: MergeResult, speech_end: float) -> None:
        now = time.time()
        figures = statistics(run, speech_end, now)
        run.job.result.CopyFrom(
            JobResult(
                video=merged.video,
                frames=merged.frames,
                samples=merged.samples,
                statistics=figures,
                captions_vtt=merged.captions_vtt if merged.HasField("captions_vtt") else None,
                captions_srt=merged.captions_srt if merged.HasField("captions_srt") else None,
                poster=merged.poster if merged.HasField("poster") else None,
                approximate=run.fade_frames > 0,
                report=report(run),
            )
        )
        run.job.provenance.signed_by = merged.signed_by
        run.job.warnings.extend(merged.warnings)
        if run.spec.captions and not merged.HasField("captions_vtt"):
            run.job.warnings.append("there are no captions, for the words of the recording are not known")
        run.job.percent = 100.0
        await run.enter(JOB_STATE_DONE, outcome=outcome(run, now))
        metrics.video_made(run.engine.name, figures)
        self._forget(run)

    def _finish(self, run: JobRun, state: gateway_pb2.JobState.ValueType, error: MouthpieceError) -> None:
        self.accompany(self._end(run, state, error))

    async def _end(
        self, run: JobRun, state: gateway_pb2.JobState.ValueType, error: MouthpieceError | None
    ) -> None:
        await self._halt(run)
        told = None if error is None else to_proto(error)
        try:
            await run.enter(state, error=told, outcome=outcome(run, time.time()))
        except StoreAway as away:
            self.step_down(away)
            raise
        self._forget(run)

    async def _halt(self, run: JobRun) -> None:
        """Wait until nothing is done for a job any more that the scheduler has forgotten."""
        task = self._jobs.get(run.id)
        if task is not None and task is not asyncio.current_task():
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        attempts = [task for (job, _), task in self._attempts.items() if job == run.id]
        await asyncio.gather(*attempts, return_exceptions=True)

    def _forget(self, run: JobRun) -> None:
        self.runs.pop(run.id, None)
        self._jobs.pop(run.id, None)


def resumption(run: JobRun, weight: float) -> JobSubmitted:
    """A job that an earlier process left, with what is done of it, as the scheduler hears of it."""
    numbers = [int(attempt[1:]) for attempt in run.attempts if attempt.startswith("a")]
    return replace(
        submission(run.job, run.engine, weight),
        restored=True,
        age=max(0.0, time.time() - unix(run.job.created)),
        done=tuple(mergeable(run)),
        attempts=max(numbers, default=0),
        stuck=stuck_seconds(run.job),
        published=run.playable_frames,
    )


def _leave(run: JobRun) -> None:
    """Let the figures go of a job that has not ended: it goes on elsewhere, or anew."""
    if not run.ended:
        metrics.job_left(run.job)


def _kind(run: JobRun, command: Render) -> str:
    if command.hedge:
        return "hedge"
    return "retry" if run.tried(command.span) else "first"


async def _check_attempt(run: JobRun, attempt: Attempt, chunks: Chunks) -> None:
    """Correct what is stored of an attempt; one that was running then has ended with its caller."""
    if attempt.result is not None and not await chunks.holds(attempt.result):
        await run.lose(attempt.result.frames)
    elif attempt.chunk.state == CHUNK_STATE_RUNNING:
        end_chunk(attempt.chunk, CHUNK_STATE_CANCELLED, error="the gateway restarted")
        await run.update_chunk(attempt)
