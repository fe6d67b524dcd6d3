"""The job store: jobs, their sentences, attempts and events, and the index of rendered chunks, in SQL.

Every write is one transaction, and what it says is durable when it returns. SQLite has one writer at a time
and one gateway. On PostgreSQL several gateways share the store: a write carries the notice that tells the
others of it, and a store `under` a term refuses to write once another gateway leads.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager, nullcontext
from dataclasses import asdict, dataclass
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import sqlalchemy as sa
from sqlalchemy import event as sql_event
from sqlalchemy import exc as sql_error
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from mouthpiece.artifacts import Artifact
from mouthpiece.core.timeline import Span
from mouthpiece.errors import AlreadyExists, Unavailable
from mouthpiece.rpc.convert import duration
from mouthpiece.v1 import common_pb2
from mouthpiece.v1.gateway_pb2 import (
    JOB_STATE_CANCELLED,
    JOB_STATE_DONE,
    JOB_STATE_FAILED,
    Chunk,
    ClusterStatistics,
    Job,
    JobEvent,
    JobSpec,
    JobState,
)
from services.gateway import migrations
from services.gateway.notices import CHANNEL, Kind, Notice
from services.gateway.schema import assets as _assets
from services.gateway.schema import callbacks as _callbacks
from services.gateway.schema import chunks as _chunks
from services.gateway.schema import events as _events
from services.gateway.schema import history as _history
from services.gateway.schema import jobs as _jobs
from services.gateway.schema import lease as _lease
from services.gateway.schema import rendered as _rendered
from services.gateway.schema import segments as _segments
from services.gateway.schema import sentences as _sentences
from services.gateway.schema import spoken as _spoken

_Parameters = ParamSpec("_Parameters")
_Result = TypeVar("_Result")

_OUTCOMES = {"done": JOB_STATE_DONE, "failed": JOB_STATE_FAILED, "cancelled": JOB_STATE_CANCELLED}
ENDED = frozenset({JOB_STATE_DONE, JOB_STATE_FAILED, JOB_STATE_CANCELLED})

_MOST_KEYS = 500
"""Keys in one query: databases limit the parameters of a statement."""

STATEMENT_SECONDS = 10.0
"""Longest wait for PostgreSQL to answer."""

IDLE_SECONDS = 3.0
"""When PostgreSQL gives up a transaction whose gateway has frozen, and with it the locks that it holds."""


class StoreAway(Unavailable):
    """The job store does not answer, or another gateway leads by now. What was to be written may or may not
    be there: go on from what the store says."""


def assets(spec: JobSpec) -> tuple[str, str, str, str]:
    """The artifacts that a spec names: speech, face, voice and background; empty where there is none."""
    background = spec.background.picture_sha256
    return spec.audio_sha256, spec.avatar_sha256, spec.voice_reference_sha256, background


@dataclass(frozen=True, slots=True)
class StoredSentence:
    """A sentence without its sound, and the artifact that holds it up to the silence at its end."""

    sentence: common_pb2.Sentence
    pcm: str


@dataclass(frozen=True, slots=True)
class Rendered:
    """Frames that exist: which, the digest of the speech they were made to, and the artifact that has them,
    after ``skip`` and before ``rest`` frames that are not meant."""

    frames: Span
    speech: str
    chunk: Artifact
    codec: str
    skip: int = 0
    rest: int = 0

    @property
    def frames_stored(self) -> int:
        """All frames of the artifact."""
        return self.skip + len(self.frames) + self.rest


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempt as it is kept: what clients see, and its result when it is done."""

    chunk: Chunk
    result: Rendered | None = None
    pieces: tuple[Rendered, ...] = ()
    """The stretches of the result that other jobs may reuse; known only while it is being stored."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a job that ended took, in seconds, and what came of it."""

    engine: str
    took: float
    video_seconds: float
    worker_seconds: float
    wasted_seconds: float
    frames: int
    cached_frames: int


def _to_the_end(
    work: Callable[_Parameters, Coroutine[Any, Any, _Result]],
) -> Callable[_Parameters, Coroutine[Any, Any, _Result]]:
    """A write whose caller may be cancelled: it ends first. SQLite stays locked by one that is cut off."""

    @wraps(work)
    async def whole(*args: _Parameters.args, **kwargs: _Parameters.kwargs) -> _Result:
        task = asyncio.create_task(work(*args, **kwargs))
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            await asyncio.gather(task, return_exceptions=True)
            raise

    return whole


class JobStore:
    """All durable state of the gateway except blobs."""

    def __init__(self, engine: AsyncEngine, term: int | None = None) -> None:
        self.engine = engine
        self.shared = engine.dialect.name == "postgresql"
        self._term = term
        self._writing = asyncio.Lock()
        self._put_callback = _upsert(_callbacks, engine.dialect.name)
        self._put_attempt = _upsert(_chunks, engine.dialect.name)
        self._put_rendered = _upsert(_rendered, engine.dialect.name)
        self._put_asset = _insert(_assets, engine.dialect.name).on_conflict_do_nothing()
        self._put_history = _upsert(_history, engine.dialect.name)
        self._add_spoken = _insert(_spoken, engine.dialect.name).on_conflict_do_nothing()

    @classmethod
    async def open(cls, url: str) -> JobStore:
        """Connect, and bring the schema up to date. Raises `StoreAway`."""
        engine = _create_engine(url)
        try:
            with reachable():
                async with engine.begin() as connection:
                    await connection.run_sync(migrations.upgrade)
        except BaseException:
            await engine.dispose()
            raise
        return cls(engine)

    def under(self, term: int) -> JobStore:
        """The same store for the leader of a term: it writes nothing once the term is over."""
        return JobStore(self.engine, term)

    async def close(self) -> None:
        """Close all connections."""
        await self.engine.dispose()

    @asynccontextmanager
    async def _read(self) -> AsyncGenerator[AsyncConnection]:
        with reachable():
            async with self.engine.connect() as connection:
                yield connection

    @asynccontextmanager
    async def _write(self, notice: Notice | None = None) -> AsyncGenerator[AsyncConnection]:
        one_at_a_time = nullcontext() if self.shared else self._writing
        with reachable():
            async with one_at_a_time, self.engine.begin() as connection:
                if self.shared:
                    await self._announce(connection, notice)
                yield connection

    async def _announce(self, connection: AsyncConnection, notice: Notice | None) -> None:
        """Send a notice with the transaction, and hold the lease where it is until that ends."""
        said = sa.select(sa.func.pg_notify(CHANNEL, notice.payload()) if notice else sa.literal(1))
        if self._term is not None:
            said = said.select_from(_lease).where(_lease.c.epoch == self._term)
            said = said.with_for_update(read=True, key_share=True)
        if notice is None and self._term is None:
            return
        if (await connection.execute(said)).first() is None:
            raise StoreAway("another gateway leads by now")

    # ------------------------------------------------------------ jobs

    async def add_job(self, job: Job, speech_key: str, event: JobEvent, promised: float = 0.0) -> None:
        """Store a new job with its first event. What SubmitJob does before it answers.

        `promised` is how many seconds it is expected to take. Raises `AlreadyExists` when the request id is
        taken.
        """
        row = {
            "id": job.id,
            "request_id": _request_key(job.request_id, job.tenant) or None,
            "tenant": job.tenant,
            "speech_key": speech_key,
            "promised": promised,
            "audio": job.spec.audio_sha256,
            "avatar": job.spec.avatar_sha256,
            "state": job.state,
            "document": job.SerializeToString(),
        }
        try:
            async with self._write(Notice(Kind.SUBMITTED, job.id)) as connection:
                await connection.execute(_ADD_JOB, row)
                await connection.execute(_ADD_EVENT, _event_row(event))
        except sql_error.IntegrityError:
            raise AlreadyExists(f"request id {job.request_id!r} was used before") from None

    async def job(self, job_id: str) -> Job | None:
        """A job without its chunks."""
        return await self._one_job(_jobs.c.id == job_id)

    async def job_by_request(self, request_id: str, tenant: str = "") -> Job | None:
        """The job that a request id of a tenant made."""
        return await self._one_job(_jobs.c.request_id == _request_key(request_id, tenant))

    async def _one_job(self, where: sa.ColumnElement[bool]) -> Job | None:
        async with self._read() as connection:
            row = (await connection.execute(_JOBS.where(where))).first()
        return None if row is None else _job_of(row)

    async def jobs(
        self,
        *,
        limit: int,
        before: str = "",
        states: Sequence[JobState.ValueType] = (),
        tenant: str = "",
        oldest_first: bool = False,
    ) -> list[Job]:
        """Jobs without chunks, newest first unless told otherwise, with ids below `before`; without a tenant,
        everybody's."""
        query = _JOBS.limit(limit).order_by(_jobs.c.id if oldest_first else _jobs.c.id.desc())
        if before:
            query = query.where(_jobs.c.id < before)
        if states:
            query = query.where(_jobs.c.state.in_(states))
        if tenant:
            query = query.where(_jobs.c.tenant == tenant)
        async with self._read() as connection:
            return [_job_of(row) for row in await connection.execute(query)]

    async def call_off(self, job_id: str) -> None:
        """Ask the leader to cancel a job."""
        async with self._write(Notice(Kind.CALLED_OFF, job_id)) as connection:
            await connection.execute(
                sa.update(_jobs).where(_jobs.c.id == job_id).values(called_off=sa.true())
            )

    async def called_off(self) -> list[str]:
        """Jobs that have not ended and that somebody wants cancelled."""
        query = sa.select(_jobs.c.id).where(_jobs.c.state.not_in(ENDED), _jobs.c.called_off)
        async with self._read() as connection:
            return list(await connection.scalars(query))

    async def delete_job(self, job_id: str) -> None:
        """Forget a job with its sentences, attempts and events."""
        async with self._write(Notice(Kind.FORGOTTEN, job_id)) as connection:
            await connection.execute(sa.delete(_jobs).where(_jobs.c.id == job_id))
            for table in (_sentences, _chunks, _events, _segments, _callbacks):
                await connection.execute(sa.delete(table).where(table.c.job_id == job_id))

    async def unfinished(self, tenant: str) -> int:
        """How many jobs of a tenant wait or run."""
        query = sa.select(sa.func.count()).select_from(_jobs)
        query = query.where(_jobs.c.tenant == tenant, _jobs.c.state.not_in(ENDED))
        async with self._read() as connection:
            return await connection.scalar(query) or 0

    async def add_asset(self, sha256: str, tenant: str) -> None:
        """A tenant has sent an asset."""
        async with self._write() as connection:
            await connection.execute(self._put_asset, {"sha256": sha256, "tenant": tenant})

    async def asset_senders(self, sha256: str) -> set[str]:
        """Tenants that have sent an asset."""
        async with self._read() as connection:
            return set(
                await connection.scalars(sa.select(_assets.c.tenant).where(_assets.c.sha256 == sha256))
            )

    async def is_referred_to(self, sha256: str) -> bool:
        """Whether any job names an artifact as its speech, face or result."""
        named = sa.or_(*(column == sha256 for column in _NAMED))
        async with self._read() as connection:
            found = bool(await connection.scalar(sa.select(sa.exists().where(named))))
            return found or sha256 in await _passing(connection)

    # ------------------------------------------------------------ what happens to a job

    async def record(
        self,
        job: Job,
        event: JobEvent,
        *,
        attempt: Attempt | None = None,
        sentence: StoredSentence | None = None,
        recipe: str = "",
        outcome: Outcome | None = None,
    ) -> None:
        """Store an event and what it changed, all or nothing.

        The job itself is written when its state has changed: what else changes in it follows from its events
        and sentences. With a `recipe`, the pieces of an attempt can be found by it from now on. An `outcome`
        goes into the history.
        """
        async with self._write(Notice(Kind.HAPPENED, job.id)) as connection:
            await connection.execute(_ADD_EVENT, _event_row(event))
            if event.HasField("state"):
                await connection.execute(_CHANGE_JOB, _change_row(job))
            if event.state.state in ENDED and job.spec.HasField("callback"):
                await connection.execute(self._put_callback, _callback_row(job.id, time.time(), 0))
            if event.HasField("segment"):
                await connection.execute(_ADD_SEGMENT, _segment_row(job.id, event.segment))
            if outcome is not None:
                await connection.execute(self._put_history, await self._history_row(connection, job, outcome))
            if sentence is not None:
                await connection.execute(_ADD_SENTENCE, _sentence_row(job.id, sentence))
            if attempt is not None:
                await connection.execute(self._put_attempt, _attempt_row(job.id, attempt))
                if recipe and attempt.pieces:
                    rows = [_rendered_row(recipe, piece) for piece in attempt.pieces]
                    await connection.execute(self._put_rendered, rows)

    async def _history_row(self, connection: AsyncConnection, job: Job, outcome: Outcome) -> _Row:
        promised = await connection.scalar(sa.select(_jobs.c.promised).where(_jobs.c.id == job.id))
        finished = job.finished.ToNanoseconds() / 1e9
        own = {"job_id": job.id, "state": job.state, "finished": finished, "promised": promised or 0.0}
        return {**own, **asdict(outcome)}

    async def events(self, job_id: str, from_sequence: int, limit: int) -> list[JobEvent]:
        """Stored events from a sequence number on."""
        query = (
            sa.select(_events.c.document)
            .where(_events.c.job_id == job_id, _events.c.sequence >= from_sequence)
            .order_by(_events.c.sequence)
            .limit(limit)
        )
        async with self._read() as connection:
            return [JobEvent.FromString(document) for document in await connection.scalars(query)]

    async def attempts(self, job_id: str) -> list[Attempt]:
        """Every attempt of a job, in the order in which they began."""
        query = sa.select(_chunks).where(_chunks.c.job_id == job_id)
        async with self._read() as connection:
            rows = (await connection.execute(query)).all()
        return sorted(map(_attempt_of, rows), key=lambda attempt: int(attempt.chunk.id[1:]))

    async def sentences(self, job_id: str) -> list[StoredSentence]:
        """What was spoken so far, in order."""
        query = sa.select(_sentences).where(_sentences.c.job_id == job_id).order_by(_sentences.c.position)
        async with self._read() as connection:
            rows = (await connection.execute(query)).all()
        return [StoredSentence(common_pb2.Sentence.FromString(row.document), row.pcm) for row in rows]

    async def segments(self, job_id: str, first: int = 0, limit: int = 1 << 31) -> list[common_pb2.Segment]:
        """What can be played of a job's video, in order, from a segment on."""
        query = (
            sa.select(_segments.c.document)
            .where(_segments.c.job_id == job_id, _segments.c.position >= first)
            .order_by(_segments.c.position)
            .limit(limit)
        )
        async with self._read() as connection:
            return [common_pb2.Segment.FromString(document) for document in await connection.scalars(query)]

    # ------------------------------------------------------------ whom to tell

    async def due_callbacks(self, now: float, limit: int) -> list[tuple[str, int]]:
        """Jobs whose end somebody is to be told of by now, longest due first, and how often it was tried."""
        query = sa.select(_callbacks).where(_callbacks.c.due <= now).order_by(_callbacks.c.due).limit(limit)
        async with self._read() as connection:
            return [(row.job_id, row.tries) for row in await connection.execute(query)]

    async def put_callback(self, job_id: str, due: float, tries: int) -> None:
        """Somebody is to be told of a job's end at a moment (seconds since 1970)."""
        async with self._write() as connection:
            await connection.execute(self._put_callback, _callback_row(job_id, due, tries))

    async def drop_callback(self, job_id: str) -> None:
        """Nobody is to be told of a job's end any more."""
        async with self._write() as connection:
            await connection.execute(sa.delete(_callbacks).where(_callbacks.c.job_id == job_id))

    # ------------------------------------------------------------ what became of jobs

    async def statistics(self, since: float) -> ClusterStatistics:
        """What became of the jobs that ended after a moment (seconds since 1970)."""
        columns = ("video_seconds", "frames", "cached_frames", "worker_seconds", "wasted_seconds")
        sums = [sa.func.coalesce(sa.func.sum(_history.c[name]), 0).label(name) for name in columns]
        counts = [
            sa.func.count(sa.case((_history.c.state == state, 1))).label(name)
            for name, state in _OUTCOMES.items()
        ]
        query = sa.select(*sums, *counts).where(_history.c.finished > since)
        async with self._read() as connection:
            row = (await connection.execute(query)).one()
        return ClusterStatistics(
            **{name: row[index] for index, name in enumerate(_OUTCOMES, len(columns))},
            frames=int(row.frames),
            cached_frames=int(row.cached_frames),
            video=duration(row.video_seconds),
            worker_time=duration(row.worker_seconds),
            wasted_worker_time=duration(row.wasted_seconds),
        )

    async def surprises(self, engine: str, limit: int) -> list[float]:
        """What the latest jobs of an engine took, as multiples of what was promised.

        Jobs of which more than a tenth existed before are left out.
        """
        table = _history.c
        query = (
            sa.select(table.took / table.promised)
            .where(table.engine == engine, table.state == JOB_STATE_DONE)
            .where(table.promised > 0, 10 * table.cached_frames <= table.frames)
            .order_by(table.finished.desc())
            .limit(limit)
        )
        async with self._read() as connection:
            return list(await connection.scalars(query))

    # ------------------------------------------------------------ what is kept

    async def ended_before(self, moment: float, limit: int) -> list[str]:
        """Jobs that ended before a moment (seconds since 1970), oldest first."""
        query = sa.select(_jobs.c.id).where(_jobs.c.finished < moment).order_by(_jobs.c.finished).limit(limit)
        async with self._read() as connection:
            return list(await connection.scalars(query))

    async def shorten_history(self, moment: float) -> None:
        """Forget what became of jobs that ended before a moment (seconds since 1970)."""
        async with self._write() as connection:
            await connection.execute(sa.delete(_history).where(_history.c.finished < moment))

    async def shrink_cache(self, limit_bytes: int) -> int:
        """Forget the rendered chunks that were unused for longest, until the rest fits. Returns how many."""
        return await self._shrink(_rendered, _rendered.c.sha256, limit_bytes)

    async def shrink_speech(self, limit_bytes: int) -> int:
        """Forget the spoken sentences that were unused for longest, until the rest fits. Returns how many."""
        return await self._shrink(_spoken, _spoken.c.pcm, limit_bytes)

    async def _shrink(self, table: sa.Table, name: sa.Column[str], limit_bytes: int) -> int:
        """Forget the rows of surplus artifacts: one takes its place for as long as any row names it."""
        used, size = sa.func.max(table.c.used).label("used"), sa.func.max(table.c.size_bytes).label("size")
        artifacts = sa.select(name.label("name"), used, size).group_by(name).subquery()
        kept = sa.func.sum(artifacts.c.size).over(order_by=(artifacts.c.used.desc(), artifacts.c.name))
        ranked = sa.select(artifacts.c.name, kept.label("kept")).subquery()
        surplus = sa.select(ranked.c.name).where(ranked.c.kept > limit_bytes)
        async with self._write() as connection:
            names = list(await connection.scalars(surplus))
            for surplus_name in names:
                await connection.execute(sa.delete(table).where(name == surplus_name))
        return len(names)

    async def referenced(self) -> set[str]:
        """Every artifact that a job, a sentence, an attempt, a segment or the cache names."""
        named: set[str] = set()
        async with self._read() as connection:
            named |= await _passing(connection)
            named |= await _handed_over(connection)
            for column in (*_NAMED, *_KEPT):
                named |= set(await connection.scalars(sa.select(column).distinct()))
        return named - {""}

    # ------------------------------------------------------------ the cache

    async def same_speech(self, speech_key: str) -> list[StoredSentence]:
        """Sentences of the latest job that finished speaking exactly this; empty when there is none."""
        query = (
            sa.select(_jobs.c.document)
            .where(_jobs.c.speech_key == speech_key)
            .order_by(_jobs.c.id.desc())
            .limit(20)
        )
        async with self._read() as connection:
            jobs = [Job.FromString(document) for document in await connection.scalars(query)]
        spoken = next((job for job in jobs if job.speech_final), None)
        return await self.sentences(spoken.id) if spoken is not None else []

    @_to_the_end
    async def spoken(self, keys: Sequence[str]) -> dict[str, StoredSentence]:
        """The sentences that are kept under some keys; they count as used."""
        found: dict[str, StoredSentence] = {}
        for first in range(0, len(keys), _MOST_KEYS):
            wanted = _spoken.c.key.in_(keys[first : first + _MOST_KEYS])
            async with self._write() as connection:
                await connection.execute(sa.update(_spoken).where(wanted).values(used=time.time()))
                for row in await connection.execute(sa.select(_spoken).where(wanted)):
                    found[row.key] = StoredSentence(common_pb2.Sentence.FromString(row.document), row.pcm)
        return found

    @_to_the_end
    async def keep_spoken(self, key: str, stored: StoredSentence, size_bytes: int) -> StoredSentence:
        """Keep a sentence under a key, unless there is one already. Returns the one that is kept."""
        row: _Row = {
            "key": key,
            "pcm": stored.pcm,
            "size_bytes": size_bytes,
            "document": stored.sentence.SerializeToString(),
            "used": time.time(),
        }
        async with self._write() as connection:
            await connection.execute(self._add_spoken, row)
        return (await self.spoken([key])).get(key, stored)

    @_to_the_end
    async def forget_spoken(self, keys: Sequence[str]) -> None:
        """The sound of some sentences is gone."""
        async with self._write() as connection:
            await connection.execute(sa.delete(_spoken).where(_spoken.c.key.in_(keys)))

    @_to_the_end
    async def touch(self, recipe: str, rendered: Rendered) -> None:
        """Frames were reused: they are worth keeping."""
        table = _rendered.c
        async with self._write() as connection:
            await connection.execute(
                sa.update(_rendered)
                .where(
                    table.recipe == recipe,
                    table.first >= rendered.frames.first,
                    table.end <= rendered.frames.end,
                    table.sha256 == rendered.chunk.sha256,
                )
                .values(used=time.time())
            )

    async def rendered(self, recipe: str, frames: Span) -> list[Rendered]:
        """What was made by a recipe and lies within `frames`, by first frame, longest first."""
        table = _rendered.c
        query = (
            sa.select(_rendered)
            .where(table.recipe == recipe, table.first >= frames.first, table.end <= frames.end)
            .order_by(table.first, table.end.desc())
        )
        async with self._read() as connection:
            rows = (await connection.execute(query)).all()
        return [_rendered_of(row, Span(row.first, row.end)) for row in rows]


@contextmanager
def reachable() -> Generator[None]:
    """Tell a store that does not answer from one that answers no."""
    try:
        yield
    except (sql_error.IntegrityError, sql_error.ProgrammingError, sql_error.DataError):
        raise
    except (sql_error.DBAPIError, sql_error.TimeoutError, TimeoutError, OSError) as error:
        raise StoreAway("the job store does not answer") from error


def _create_engine(url: str) -> AsyncEngine:
    if sa.make_url(url).get_backend_name() == "sqlite":
        engine = create_async_engine(url)
        sql_event.listen(engine.sync_engine, "connect", _tune_sqlite)
        return engine
    settings = {"idle_in_transaction_session_timeout": f"{IDLE_SECONDS:g}s", "application_name": "mouthpiece"}
    options = {
        "timeout": STATEMENT_SECONDS,
        "command_timeout": STATEMENT_SECONDS,
        "server_settings": settings,
    }
    return create_async_engine(url, connect_args=options, pool_timeout=STATEMENT_SECONDS)


async def _handed_over(connection: AsyncConnection) -> set[str]:
    """What unfinished chains go on from."""
    unfinished = sa.select(_jobs.c.id).where(_jobs.c.state.not_in(ENDED))
    query = sa.select(_chunks.c.document).where(_chunks.c.job_id.in_(unfinished))
    return {Chunk.FromString(row).handover.sha256 async for row in await connection.stream_scalars(query)}


def _tune_sqlite(connection: sa.engine.interfaces.DBAPIConnection, _record: object) -> None:
    cursor = connection.cursor()
    # Readers do not wait for the writer, and a killed process loses nothing.
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.execute("PRAGMA busy_timeout=10000")
    cursor.close()


_ADD_JOB = sa.insert(_jobs)
_ADD_EVENT = sa.insert(_events)
_ADD_SEGMENT = sa.insert(_segments)
_ADD_SENTENCE = sa.insert(_sentences)
_CHANGE_JOB = (
    sa.update(_jobs)
    .where(_jobs.c.id == sa.bindparam("job"))
    .values(
        state=sa.bindparam("new_state"),
        document=sa.bindparam("new_document"),
        finished=sa.bindparam("new_finished"),
        video=sa.bindparam("new_video"),
        vtt=sa.bindparam("new_vtt"),
        srt=sa.bindparam("new_srt"),
    )
)
_NAMED = (_jobs.c.audio, _jobs.c.avatar, _jobs.c.video, _jobs.c.vtt, _jobs.c.srt)
_KEPT = (
    _sentences.c.pcm,
    _spoken.c.pcm,
    _chunks.c.sha256,
    _rendered.c.sha256,
    _segments.c.media,
    _segments.c.init,
)
_JOBS = sa.select(
    _jobs.c.document,
    # A document is as old as the last change of its job's state.
    sa.select(sa.func.max(_events.c.sequence))
    .where(_events.c.job_id == _jobs.c.id)
    .scalar_subquery()
    .label("last"),
    sa.select(sa.func.max(_sentences.c.samples))
    .where(_sentences.c.job_id == _jobs.c.id)
    .scalar_subquery()
    .label("spoken"),
)

_Row = dict[str, str | int | float | bytes | None]


def _request_key(request_id: str, tenant: str) -> str:
    """Request ids are unique within a tenant."""
    if not request_id or not tenant:
        return request_id
    return hashlib.sha256(f"{tenant}/{request_id}".encode()).hexdigest()


def _job_of(row: Any) -> Job:
    job = Job.FromString(row.document)
    job.last_sequence = row.last or job.last_sequence
    job.samples = max(job.samples, row.spoken or 0)
    return job


def _insert(table: sa.Table, dialect: str) -> postgresql.Insert | sqlite.Insert:
    return postgresql.insert(table) if dialect == "postgresql" else sqlite.insert(table)


def _upsert(table: sa.Table, dialect: str) -> sa.Insert:
    """Put a row, in place of the one with the same key if there is any."""
    insert = _insert(table, dialect)
    key = [column.name for column in table.primary_key]
    rest = {column.name: insert.excluded[column.name] for column in table.columns if not column.primary_key}
    return insert.on_conflict_do_update(index_elements=key, set_=rest)


def _event_row(event: JobEvent) -> _Row:
    return {"job_id": event.job_id, "sequence": event.sequence, "document": event.SerializeToString()}


def _change_row(job: Job) -> _Row:
    return {
        "job": job.id,
        "new_state": job.state,
        "new_document": job.SerializeToString(),
        "new_finished": job.finished.ToNanoseconds() / 1e9 if job.state in ENDED else None,
        "new_video": job.result.video.sha256,
        "new_vtt": job.result.captions_vtt.sha256,
        "new_srt": job.result.captions_srt.sha256,
    }


def _attempt_row(job_id: str, attempt: Attempt) -> _Row:
    result = attempt.result
    return {
        "job_id": job_id,
        "attempt": attempt.chunk.id,
        "state": attempt.chunk.state,
        "sha256": result.chunk.sha256 if result else "",
        "size_bytes": result.chunk.size_bytes if result else 0,
        "speech": result.speech if result else "",
        "codec": result.codec if result else "",
        "skip": result.skip if result else 0,
        "rest": result.rest if result else 0,
        "document": attempt.chunk.SerializeToString(),
    }


def _attempt_of(row: sa.Row[Any]) -> Attempt:
    chunk = Chunk.FromString(row.document)
    if not row.sha256:
        return Attempt(chunk)
    return Attempt(chunk, _rendered_of(row, Span(chunk.frames.first, chunk.frames.end)))


def _rendered_of(row: sa.Row[Any], frames: Span) -> Rendered:
    chunk = Artifact(row.sha256, row.size_bytes)
    return Rendered(frames, row.speech, chunk, row.codec, row.skip, row.rest)


def _sentence_row(job_id: str, stored: StoredSentence) -> _Row:
    return {
        "job_id": job_id,
        "position": stored.sentence.index,
        "pcm": stored.pcm,
        "document": stored.sentence.SerializeToString(),
        "samples": stored.sentence.samples.end,
    }


def _callback_row(job_id: str, due: float, tries: int) -> _Row:
    return {"job_id": job_id, "due": due, "tries": tries}


def _segment_row(job_id: str, segment: common_pb2.Segment) -> _Row:
    return {
        "job_id": job_id,
        "position": segment.index,
        "media": segment.media.sha256,
        "init": segment.init.sha256,
        "document": segment.SerializeToString(),
    }


def _rendered_row(recipe: str, rendered: Rendered) -> _Row:
    return {
        "recipe": recipe,
        "first": rendered.frames.first,
        "end": rendered.frames.end,
        "speech": rendered.speech,
        "sha256": rendered.chunk.sha256,
        "size_bytes": rendered.chunk.size_bytes,
        "codec": rendered.codec,
        "skip": rendered.skip,
        "rest": rendered.rest,
        "used": time.time(),
    }


async def _passing(connection: AsyncConnection) -> set[str]:
    """Voice references and backgrounds of jobs that have not ended; later nobody needs them."""
    running = sa.select(_jobs.c.document).where(_jobs.c.state.not_in(ENDED))
    jobs = [Job.FromString(document) for document in await connection.scalars(running)]
    named = ((job.spec.voice_reference_sha256, job.spec.background.picture_sha256) for job in jobs)
    return {sha256 for names in named for sha256 in names}
