"""The gateway's figures. Engine names are those of the workers, states those of the API."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from functools import partial

from prometheus_client import Counter, Gauge, Histogram

from mouthpiece.core.scheduler.events import ChunkDone, ChunkFailed, Event
from mouthpiece.rpc.convert import seconds, unix
from mouthpiece.rpc.states import state_name
from mouthpiece.v1.gateway_pb2 import Job, JobState, JobStatistics
from services.gateway.access.document import STANDARD

_waiting: dict[str, dict[str, float]] = {}
"""Jobs for which no attempt was begun, by class of tenant: id, and when it was accepted (s since 1970)."""

_jobs = Gauge(
    "mouthpiece_gateway_jobs", "Jobs that have not ended, by state; queued is the queue.", ["state"]
)
_waits = Gauge(
    "mouthpiece_gateway_waiting_jobs",
    "Jobs of this leader that no worker has begun, by class of tenant.",
    ["tenant_class"],
)
_oldest = Gauge(
    "mouthpiece_gateway_oldest_waiting_seconds",
    "Age of the oldest of them; 0 when there is none.",
    ["tenant_class"],
)
_workers = Gauge(
    "mouthpiece_gateway_workers", "Workers as this gateway sees them (up, draining, lost).", ["standing"]
)
_lost = Counter("mouthpiece_gateway_workers_lost", "Times that a worker was lost.")
_leads = Gauge("mouthpiece_gateway_leads", "1 while this gateway leads the scheduling.")
_ended = Counter("mouthpiece_jobs_ended", "Jobs that ended, by state.", ["state"])
_first_chunk = Histogram(
    "mouthpiece_gateway_first_chunk_seconds",
    "Time from a job's acceptance to its first chunk, by engine.",
    ["engine"],
    buckets=(0.5, 1, 2, 4, 8, 15, 30, 60, 300, 1800),
)
_first_segment = Histogram(
    "mouthpiece_gateway_first_segment_seconds",
    "Time from a job's acceptance to its first segment, from when on it plays, by engine.",
    ["engine"],
    buckets=(0.5, 1, 2, 4, 8, 15, 30, 60, 300, 1800),
)
_stages = Histogram(
    "mouthpiece_gateway_stage_seconds",
    "Time that jobs with a video spent in the queue, speech, render and merge; stages overlap.",
    ["stage"],
    buckets=(0.1, 0.5, 1, 2, 5, 15, 60, 300, 1800, 7200),
)
_total = Histogram(
    "mouthpiece_gateway_job_seconds",
    "Time from a job's acceptance to its video, by engine.",
    ["engine"],
    buckets=(1, 2, 5, 15, 60, 300, 1800, 7200),
)
_chunk = Histogram(
    "mouthpiece_gateway_chunk_seconds",
    "Time that attempts took that gave a chunk, by engine.",
    ["engine"],
    buckets=(0.25, 0.5, 1, 2, 4, 8, 16, 60, 300),
)
_begun = Counter(
    "mouthpiece_attempts_started",
    "Attempts that began, by engine and kind: first, retry of frames that were tried, hedge of a late one.",
    ["engine", "kind"],
)
_attempts = Counter(
    "mouthpiece_attempts_ended",
    "Attempts that ended, by engine and outcome: done, stopped, or whose fault it was.",
    ["engine", "outcome"],
)
_chunks = Counter(
    "mouthpiece_gateway_chunks", "Chunks in finished videos: rendered for them, or cached.", ["source"]
)
_sentences = Counter(
    "mouthpiece_gateway_sentences", "Sentences in finished videos: spoken for them, or cached.", ["source"]
)
_uploaded = Counter("mouthpiece_gateway_uploaded_bytes", "Bytes of assets that arrived.")
_downloaded = Counter("mouthpiece_gateway_downloaded_bytes", "Bytes of videos and captions that were sent.")
_CLOSED = {
    _ended: ("done", "failed", "cancelled"),
    _stages: ("queue", "speech", "render", "merge"),
    _chunks: ("rendered", "cached"),
    _sentences: ("spoken", "cached"),
}
for _metric, _values in _CLOSED.items():  # a series that begins above 0 has lost its first event
    for _value in _values:
        _metric.labels(_value)


def leads(*, now: bool) -> None:
    """This gateway leads from now on, or follows."""
    _leads.set(now)


def workers_are(standings: Mapping[str, int]) -> None:
    """So many workers there are of each standing, all standings named."""
    for standing, count in standings.items():
        _workers.labels(standing).set(count)


def worker_lost() -> None:
    """A worker does not answer any more."""
    _lost.inc()


def job_taken(job: Job, tenant_class: str, *, begun: bool) -> None:
    """A job was accepted, or taken up after a restart, perhaps with attempts."""
    _jobs.labels(state_name(job.state)).inc()
    if not begun:
        _queue(tenant_class)[job.id] = unix(job.created)


def job_moved(before: JobState.ValueType, after: JobState.ValueType) -> None:
    """A job went over to a state that is not its last."""
    _jobs.labels(state_name(before)).dec()
    _jobs.labels(state_name(after)).inc()


def job_left(job: Job) -> None:
    """A job is left to another gateway, or to another term of this one."""
    _jobs.labels(state_name(job.state)).dec()
    _waits_no_more(job.id)


def job_ended(before: JobState.ValueType, job: Job) -> None:
    """A job ended, after it was in the state `before`."""
    _jobs.labels(state_name(before)).dec()
    _ended.labels(state_name(job.state)).inc()
    _waits_no_more(job.id)


def video_begun(engine: str, job: Job) -> None:
    """The first segment of a job's video can be played."""
    _first_segment.labels(engine).observe(max(0.0, time.time() - unix(job.created)))


def video_made(engine: str, figures: JobStatistics) -> None:
    """A job has its video."""
    _first_chunk.labels(engine).observe(seconds(figures.first_chunk))
    _total.labels(engine).observe(seconds(figures.total))
    stages = {"queue": figures.queue, "speech": figures.speech, "render": figures.render}
    for stage, took in {**stages, "merge": figures.merge}.items():
        _stages.labels(stage).observe(seconds(took))
    _chunks.labels("cached").inc(figures.cached_chunks)
    _chunks.labels("rendered").inc(figures.chunks - figures.cached_chunks)
    _sentences.labels("cached").inc(figures.cached_sentences)
    _sentences.labels("spoken").inc(figures.sentences - figures.cached_sentences)


def attempt_started(job_id: str, engine: str, kind: str) -> None:
    """A worker is to render a chunk: the `first` attempt at its frames, a `retry` or a `hedge`."""
    _begun.labels(engine, kind).inc()
    _waits_no_more(job_id)


def attempt_stopped(engine: str) -> None:
    """An attempt was called off."""
    _attempts.labels(engine, "stopped").inc()


def attempt_ended(engine: str, event: Event) -> None:
    """An attempt ended with an event."""
    match event:
        case ChunkDone(timings=timings):
            _attempts.labels(engine, "done").inc()
            if timings is not None:
                _chunk.labels(engine).observe(timings.prep + timings.setup + timings.render)
        case ChunkFailed():
            _attempts.labels(engine, event.fault.value).inc()
        case _:
            pass


def uploaded(size: int) -> None:
    """Bytes of an asset arrived."""
    _uploaded.inc(size)


async def sending(blocks: AsyncIterator[bytes]) -> AsyncGenerator[bytes]:
    """Blocks of a result on their way out."""
    async for block in blocks:
        _downloaded.inc(len(block))
        yield block


def _queue(tenant_class: str) -> dict[str, float]:
    """The jobs of a class that wait; its figures are there from the first time on."""
    if tenant_class not in _waiting:
        waiting = _waiting[tenant_class] = {}
        _waits.labels(tenant_class).set_function(partial(len, waiting))
        _oldest.labels(tenant_class).set_function(partial(_greatest_age, waiting))
    return _waiting[tenant_class]


def _greatest_age(waiting: Mapping[str, float]) -> float:
    now = time.time()
    return max(0.0, now - min([*waiting.values()], default=now))


def _waits_no_more(job_id: str) -> None:
    for waiting in _waiting.values():
        waiting.pop(job_id, None)


_queue(STANDARD)
