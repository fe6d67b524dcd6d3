"""One job that has not ended: what is known of it, and the one way of changing that."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction

from google.rpc import status_pb2

from mouthpiece import __version__
from mouthpiece.core.editing import Reach
from mouthpiece.core.engines import EngineClass, EngineInfo
from mouthpiece.core.motion import Crossing
from mouthpiece.core.scheduler.events import JobSubmitted, Mode
from mouthpiece.core.timeline import Span, frame_count, sample_at, samples_of
from mouthpiece.media.quality import Adjustment, Encoder
from mouthpiece.rpc.convert import (
    duration,
    engine_from_proto,
    engine_to_proto,
    span_to_proto,
    timestamp,
    unix,
)
from mouthpiece.rpc.quality import adjustment_from_proto, quality_from_proto
from mouthpiece.rpc.tracing import JobTrace
from mouthpiece.v1 import common_pb2, gateway_pb2
from mouthpiece.v1.gateway_pb2 import (
    CHUNK_STATE_CANCELLED,
    CHUNK_STATE_DONE,
    CHUNK_STATE_FAILED,
    CHUNK_STATE_RUNNING,
    JOB_STATE_SPEAKING,
    Chunk,
    ChunkState,
    Job,
    JobEvent,
    JobProgress,
    JobSpec,
    JobState,
    SpeechGrew,
    Waiting,
)
from services.gateway import metrics, spans
from services.gateway.admission import fade_frames, head_start, wanted_chunk_frames
from services.gateway.database import StoreAway, to_the_end
from services.gateway.placing import crossings_of
from services.gateway.records import ENDED, Attempt, Outcome, Rendered, StoredSentence
from services.gateway.store import JobStore
from services.gateway.watching import Watching

SHOW_EVERY = 0.2
"""Seconds between two shows of live figures."""


@dataclass
class Estimate:
    """What the scheduler expects: seconds to the first segment and to the end, jobs ahead."""

    first: float = 0.0
    done: float = 0.0
    ahead: int = 0


@dataclass
class JobRun:
    """A job at work. Every change goes through `record`, which stores it before anybody sees it."""

    job: Job
    engine: EngineInfo
    store: JobStore
    watching: Watching
    trace: JobTrace = field(default_factory=JobTrace)
    sentences: list[StoredSentence] = field(default_factory=list)
    attempts: dict[str, Attempt] = field(default_factory=dict)
    rendered: dict[Span, Rendered] = field(default_factory=dict)
    """Chunks that exist. They may overlap: which of them are shown is for the scheduler to say."""
    segments: list[Span] = field(default_factory=list)
    playable: list[common_pb2.Segment] = field(default_factory=list)
    """What was published of the video: it stays as it is, whatever is merged anew."""
    complete: bool = False
    recalled: int = 0
    """Sentences that need not be spoken anew."""
    estimate: Estimate | None = None
    moved: asyncio.Event = field(default_factory=asyncio.Event)
    _recording: asyncio.Lock = field(default_factory=asyncio.Lock)
    _adrift: bool = False
    _at_work: set[str] = field(default_factory=set[str])
    """Attempts whose end nobody has told of."""
    _shown: float = 0.0

    @property
    def id(self) -> str:
        """Job id."""
        return self.job.id

    @property
    def spec(self) -> JobSpec:
        """What the client asked for."""
        return self.job.spec

    @property
    def fps(self) -> Fraction:
        """Frames per second."""
        return _fps(self.job)

    @property
    def samples(self) -> int:
        """Samples spoken so far."""
        return self.sentences[-1].sentence.samples.end if self.sentences else 0

    @property
    def ended(self) -> bool:
        """Whether the job has ended."""
        return self.job.state in ENDED

    @property
    def crossings(self) -> list[Crossing]:
        """Where the avatar's motion goes over to another place of its course, as far as the speech goes."""
        return crossings_of(self.sentences)

    @property
    def recipe(self) -> str:
        """Names all that shapes this job's frames except speech and motion."""
        return recipe_of(self.job, self.engine)

    @property
    def reusable(self) -> bool:
        """Whether a chunk of this job can stand in another one: not where it hangs on those before it."""
        return self.engine.engine_class is not EngineClass.CHAINED

    @property
    def fade_frames(self) -> int:
        """Frames over which independent chunks of a chained engine are blended, 0 for an exact chain."""
        return fade_frames(self.spec, self.fps)

    def lead(self, frames: Span) -> int:
        """Frames in front of a chunk that are rendered too, for a fade."""
        return min(self.fade_frames, frames.first)

    def handover(self, frame: int) -> common_pb2.ArtifactRef | None:
        """What the chunk before a frame left for the one that begins there; None where a chain begins."""
        link = self.link(frame)
        return None if link is None else link.chunk.handover

    def link(self, frame: int) -> Attempt | None:
        """The attempt that left something for the chunk that begins at a frame."""
        if self.fade_frames:
            return None
        for attempt in self.attempts.values():
            chunk = attempt.chunk
            ended_here = chunk.state == CHUNK_STATE_DONE and chunk.frames.end == frame
            if ended_here and chunk.HasField("handover"):
                return attempt
        return None

    @property
    def reach(self) -> Reach:
        """The frame grid, and what the engine hears around a frame."""
        retouching = self.adjustment
        lead = self.engine.lead_samples + sample_at(retouching.before, self.fps)
        return Reach(self.fps, lead, self.engine.tail_samples + sample_at(retouching.after, self.fps))

    @property
    def adjustment(self) -> Adjustment:
        """What is done to the engine's frames."""
        quality = quality_from_proto(self.spec.quality, "spec.quality")
        return adjustment_from_proto(self.spec.enhancement, "spec.enhancement", quality, self.engine)

    def around(self, frames: Span) -> Span:
        """Frames that are rendered for a chunk: also those that it depends on, and those of a fade."""
        return self.adjustment.around(Span(frames.first - self.lead(frames), frames.end))

    def heard(self, frames: Span) -> Span:
        """Samples that the engine needs for some frames, with context; may reach beyond the speech."""
        samples = samples_of(self.around(frames), self.fps)
        return Span(max(0, samples.first - self.engine.lead_samples), samples.end + self.engine.tail_samples)

    @to_the_end  # whoever is told of a state is told of all that follows from it
    async def enter(
        self,
        state: JobState.ValueType,
        *,
        error: status_pb2.Status | None = None,
        outcome: Outcome | None = None,
    ) -> None:
        """Go over to another state; a job that ended stays as it is."""
        if self.ended or state == self.job.state:
            return
        before, self.job.state = self.job.state, state
        begins = not self.job.HasField("started")
        if error is not None:
            self.job.error.CopyFrom(error)
        if state in ENDED:
            self.job.finished.CopyFrom(timestamp(time.time()))
            self.job.ClearField("eta")
            self.job.ClearField("waiting")
        elif begins:
            self.job.started.CopyFrom(timestamp(time.time()))
        await self.record(JobEvent(state=self.job), outcome=outcome)
        self._tell_of_step(before, begins=begins)
        if state in ENDED:
            metrics.job_ended(before, self.job)
            self.watching.end(self.id)
        else:
            metrics.job_moved(before, state)

    def _tell_of_step(self, before: JobState.ValueType, *, begins: bool) -> None:
        if begins and not self.ended:
            spans.tell_of_queue(self.trace, self.job)
        if before == JOB_STATE_SPEAKING:
            spans.tell_of_speech(self.trace, self.job, time.time_ns(), len(self.sentences), self.recalled)
        if self.ended:
            spans.tell_of_job(self.trace, self.job, self._chunks())

    async def wait(self, waiting: Waiting | None) -> None:
        """Nothing can be rendered, or something can again; None: the latter."""
        if self.ended or (waiting is None and not self.job.HasField("waiting")):
            return
        self.job.ClearField("waiting")
        if waiting is not None:
            self.job.waiting.CopyFrom(waiting)
        await self.record(JobEvent(state=self.job))

    def warn(self, message: str) -> None:
        """Let people know of something, once; it is stored with the next change of state."""
        if message not in self.job.warnings:
            self.job.warnings.append(message)

    async def add_sentence(self, stored: StoredSentence, *, final: bool) -> None:
        """More was spoken."""
        self.sentences.append(stored)
        self.job.samples = max(self.job.samples, self.samples)
        await self.record(JobEvent(speech=SpeechGrew(sentence=stored.sentence, final=final)), sentence=stored)
        self.move()

    @property
    def playable_frames(self) -> int:
        """Frames of the video that were published."""
        return self.playable[-1].frames.end if self.playable else 0

    async def publish(self, segment: common_pb2.Segment) -> None:
        """A further stretch of the video can be played; nothing happens when it was published before."""
        if segment.frames.first < self.playable_frames:
            return
        segment.index = len(self.playable)
        self.playable.append(segment)
        await self.record(JobEvent(segment=segment))
        if not segment.index:
            metrics.video_begun(self.engine.name, self.job)

    async def update_chunk(self, attempt: Attempt) -> None:
        """An attempt began or ended."""
        self.take(attempt)
        recipe = self.recipe if self.reusable and not attempt.chunk.cached else ""
        await self.record(JobEvent(chunk=attempt.chunk), attempt=attempt, recipe=recipe)
        if attempt.chunk.state != CHUNK_STATE_RUNNING and attempt.chunk.id in self._at_work:
            self._at_work.discard(attempt.chunk.id)
            spans.tell_of_attempt(self.trace, self.job, attempt.chunk, self._chunks())

    def attempted(self, frames: Span) -> bool:
        """Whether some of these frames are rendered already, or are being rendered."""
        return self._has(frames, {CHUNK_STATE_RUNNING, CHUNK_STATE_DONE})

    def tried(self, frames: Span) -> bool:
        """Whether an attempt at some of these frames ended without a result."""
        return self._has(frames, {CHUNK_STATE_FAILED, CHUNK_STATE_CANCELLED})

    def _has(self, frames: Span, states: set[ChunkState.ValueType]) -> bool:
        return any(
            Span(attempt.chunk.frames.first, attempt.chunk.frames.end).overlaps(frames)
            for attempt in self.attempts.values()
            if attempt.chunk.state in states
        )

    def take(self, attempt: Attempt) -> None:
        """Know an attempt, and its result when it is the first for its frames."""
        if self.fade_frames and attempt.result is not None:
            fitted = replace(attempt.result, skip=self.lead(attempt.result.frames))
            attempt = replace(attempt, result=fitted)
        self.attempts[attempt.chunk.id] = attempt
        if attempt.chunk.state == CHUNK_STATE_RUNNING:
            self._at_work.add(attempt.chunk.id)
        if attempt.result is not None:
            self.rendered.setdefault(attempt.result.frames, attempt.result)

    async def lose(self, frames: Span) -> None:
        """The artifact of a chunk is damaged or gone."""
        del self.rendered[frames]
        for attempt in list(self.attempts.values()):
            if attempt.result is not None and attempt.result.frames == frames:
                end_chunk(attempt.chunk, CHUNK_STATE_FAILED, error="its artifact was lost")
                await self.update_chunk(Attempt(attempt.chunk))

    async def start_over(self, engine: EngineInfo) -> None:
        """Drop every chunk, and go on with another version of the engine."""
        why = f"the job went on with version {engine.version}"
        for attempt in list(self.attempts.values()):
            if attempt.chunk.state in {CHUNK_STATE_RUNNING, CHUNK_STATE_DONE} and not self.ended:
                end_chunk(attempt.chunk, CHUNK_STATE_CANCELLED, error=why)
                await self.update_chunk(Attempt(attempt.chunk))
        if self.ended:
            return
        before, self.engine = self.engine, engine
        self.job.engine.CopyFrom(engine_to_proto(engine))
        self.job.warnings.append(
            f"rendered anew: no worker had {engine.name} {before.version} any more, but {engine.version}"
        )
        await self.record(JobEvent(state=self.job))

    @to_the_end  # numbers have no gaps
    async def record(
        self,
        event: JobEvent,
        *,
        attempt: Attempt | None = None,
        sentence: StoredSentence | None = None,
        recipe: str = "",
        outcome: Outcome | None = None,
    ) -> None:
        """Give an event its number, store it with what it changed, then show it.

        Raises `StoreAway`, after which nothing more can be recorded.
        """
        async with self._recording:
            if self._adrift:
                raise StoreAway("the job store did not answer")
            self.job.last_sequence += 1
            stamp(event, self.job, self.job.last_sequence)
            try:
                await self.store.record(
                    self.job, event, attempt=attempt, sentence=sentence, recipe=recipe, outcome=outcome
                )
            except StoreAway:
                self._adrift = True
                raise
            self.watching.publish(event)

    def move(self) -> None:
        """Wake whoever waits for speech or chunks."""
        self.moved.set()
        self.moved = asyncio.Event()

    def show(self) -> None:
        """Show live figures, now and then."""
        now = time.monotonic()
        if self.ended or now - self._shown < SHOW_EVERY:
            return
        self._shown = now
        event = JobEvent(progress=self.progress())
        self.watching.show(stamp(event, self.job, 0))

    def progress(self) -> JobProgress:
        """The live figures."""
        progress = JobProgress(percent=self.percent, chunks=self._running())
        if self.estimate is not None:
            progress.queue_position = self.estimate.ahead
        if self.estimate is not None and not self.job.HasField("waiting"):
            progress.eta.CopyFrom(duration(self.estimate.done))
        return progress

    def _chunks(self) -> list[Chunk]:
        return [attempt.chunk for attempt in self.attempts.values()]

    def _running(self) -> list[Chunk]:
        return [chunk for chunk in self._chunks() if chunk.state == CHUNK_STATE_RUNNING]

    @property
    def percent(self) -> float:
        """Rendering counts for 97, merging for the rest; two attempts at the same frames count once."""
        done = sum(map(len, disjoint(self.rendered)))
        begun = {chunk.frames.first: chunk.frames_done for chunk in sorted(self._running(), key=_frames_done)}
        total = max(1, self.job.frames, done)
        return min(97.0, 97.0 * (done + sum(begun.values())) / total)

    def snapshot(self) -> Job:
        """The job as GetJob shows it, live figures and chunks included."""
        job = Job()
        job.CopyFrom(self.job)
        job.chunks.extend(sorted(self._chunks(), key=_first_frame))
        if not self.ended:
            progress = self.progress()
            job.percent = progress.percent
            if progress.HasField("eta"):
                job.eta.CopyFrom(progress.eta)
        return job


async def recall(job: Job, store: JobStore, watching: Watching) -> JobRun:
    """A stored job as far as it went. Raises `StoreAway`."""
    run = JobRun(job, engine_from_proto(job.engine), store, watching, await store.trace(job.id))
    run.sentences = await store.sentences(job.id)
    run.playable = await store.segments(job.id)
    for attempt in await store.attempts(job.id):
        run.take(attempt)
    return run


def recipe_of(job: Job, engine: EngineInfo) -> str:
    """Names all that shapes a job's frames with an engine, except speech and motion."""
    size, spec = job.format, job.spec
    parts = (
        __version__,
        engine.name,
        engine.version,
        spec.avatar_sha256,
        str(_fps(job)),
        f"{size.width}x{size.height}",
        str(spec.quality or common_pb2.QUALITY_MEDIUM),
        str(job.seed),
        *([spec.prompt] if engine.takes_prompt else []),
        *([job.encoder] if job.encoder not in ("", Encoder.X264) else []),
        *_retouching(spec),
        *_labelling(job),
    )
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _fps(job: Job) -> Fraction:
    return Fraction(job.format.fps.numerator, job.format.fps.denominator)


def _retouching(spec: JobSpec) -> Iterator[str]:
    """Names what is done to the engine's frames, if anything."""
    for name in ("background", "enhancement"):
        if spec.HasField(name):
            yield name + getattr(spec, name).SerializeToString(deterministic=True).hex()


def _labelling(job: Job) -> Iterator[str]:
    """Names what is drawn on every frame, if anything."""
    if job.provenance.HasField("label"):
        yield "label" + job.provenance.label.SerializeToString(deterministic=True).hex()


_MODES = {
    gateway_pb2.MODE_UNSPECIFIED: Mode.AUTO,
    gateway_pb2.MODE_AUTO: Mode.AUTO,
    gateway_pb2.MODE_SINGLE: Mode.SINGLE,
    gateway_pb2.MODE_CHUNKED: Mode.CHUNKED,
}


def submission(job: Job, engine: EngineInfo, weight: float) -> JobSubmitted:
    """A job as the scheduler hears of it; `weight` is its tenant's share."""
    spec, fps = job.spec, _fps(job)
    return JobSubmitted(
        job=job.id,
        tenant=job.tenant,
        avatar=spec.avatar_sha256,
        engine=engine.name,
        version=engine.version,
        fps=fps,
        expected_frames=max(1, frame_count(job.samples, fps)),
        mode=_MODES[spec.mode],
        chunk_frames=wanted_chunk_frames(spec, fps),
        max_workers=spec.max_workers,
        max_chunk_frames=engine.max_chunk_frames,
        max_chunk_seconds=engine.max_chunk_seconds,
        chained=engine.engine_class is EngineClass.CHAINED and not fade_frames(spec, fps),
        weight=weight,
        priority=head_start(spec, unix(job.created)),
    )


def mergeable(run: JobRun) -> list[Span]:
    """Chunks that exist, disjoint, none of which goes on beyond what was published of the video."""
    shown = run.playable_frames
    return disjoint(span for span in run.rendered if not span.first < shown < span.end)


def disjoint(spans: Iterable[Span]) -> list[Span]:
    """Spans of which none overlaps another, in order: of those that do, the one that begins first."""
    found: list[Span] = []
    for span in sorted(spans, key=lambda span: (span.first, -span.end)):
        if not found or span.first >= found[-1].end:
            found.append(span)
    return found


def stamp(event: JobEvent, job: Job, sequence: int) -> JobEvent:
    """Say which job an event is about, and when it happened."""
    event.sequence = sequence
    event.job_id = job.id
    event.time.CopyFrom(timestamp(time.time()))
    return event


def new_chunk(attempt: str, frames: Span, worker: str) -> Chunk:
    """An attempt that begins now."""
    return Chunk(
        id=attempt,
        frames=span_to_proto(frames),
        state=CHUNK_STATE_RUNNING,
        worker=worker,
        started=timestamp(time.time()),
    )


def end_chunk(chunk: Chunk, state: ChunkState.ValueType, *, frames_done: int = 0, error: str = "") -> None:
    """An attempt ends now."""
    chunk.state = state
    chunk.finished.CopyFrom(timestamp(time.time()))
    chunk.frames_done = max(chunk.frames_done, frames_done)
    chunk.error = error


def _frames_done(chunk: Chunk) -> int:
    return chunk.frames_done


def _first_frame(chunk: Chunk) -> tuple[int, str]:
    return chunk.frames.first, chunk.id
