"""The job store: jobs with their sentences, attempts, events and segments, in SQL.

Every write is one transaction of `database.py`; `records.py` turns values into rows and back.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy import exc as sql_error
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from mouthpiece.errors import AlreadyExists
from mouthpiece.rpc.tracing import JobTrace
from mouthpiece.v1 import common_pb2
from mouthpiece.v1.gateway_pb2 import Chunk, Job, JobEvent, JobState
from services.gateway.cache import Cache
from services.gateway.database import Database
from services.gateway.history import History
from services.gateway.notices import Kind, Notice
from services.gateway.records import (
    ENDED,
    Attempt,
    Outcome,
    StoredSentence,
    attempt_of,
    attempt_row,
    callback_row,
    change_row,
    event_row,
    job_of,
    request_key,
    segment_row,
    sentence_row,
)
from services.gateway.schema import assets as _assets
from services.gateway.schema import callbacks as _callbacks
from services.gateway.schema import chunks as _chunks
from services.gateway.schema import events as _events
from services.gateway.schema import jobs as _jobs
from services.gateway.schema import rendered as _rendered
from services.gateway.schema import segments as _segments
from services.gateway.schema import sentences as _sentences
from services.gateway.schema import spoken as _spoken


class JobStore:
    """All durable state of the gateway except blobs."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.cache = Cache(database)
        """What can be reused."""
        self.history = History(database)
        """What became of jobs."""
        self._put_callback = database.upsert(_callbacks)
        self._put_attempt = database.upsert(_chunks)
        self._put_asset = database.insert(_assets).on_conflict_do_nothing()

    @classmethod
    async def open(cls, url: str) -> JobStore:
        """Connect, and bring the schema up to date. Raises `StoreAway`."""
        return cls(await Database.open(url))

    @property
    def engine(self) -> AsyncEngine:
        """The database below."""
        return self._database.engine

    @property
    def shared(self) -> bool:
        """Whether several gateways may use it at once."""
        return self._database.shared

    def under(self, term: int) -> JobStore:
        """The same store for the leader of a term: it writes nothing once the term is over."""
        return JobStore(self._database.under(term))

    async def close(self) -> None:
        """Close all connections."""
        await self._database.close()

    # ------------------------------------------------------------ jobs

    async def add_job(
        self, job: Job, speech_key: str, event: JobEvent, promised: float = 0.0, trace: str = ""
    ) -> None:
        """Store a new job with its first event. What SubmitJob does before it answers.

        `promised` is how many seconds it is expected to take, `trace` the context of its trace. Raises
        `AlreadyExists` when the request id is taken.
        """
        row = {
            "id": job.id,
            "request_id": request_key(job.request_id, job.tenant) or None,
            "tenant": job.tenant,
            "speech_key": speech_key,
            "promised": promised,
            "trace": trace,
            "audio": job.spec.audio_sha256,
            "avatar": job.spec.avatar_sha256,
            "state": job.state,
            "document": job.SerializeToString(),
        }
        try:
            async with self._database.write(Notice(Kind.SUBMITTED, job.id)) as connection:
                await connection.execute(_ADD_JOB, row)
                await connection.execute(_ADD_EVENT, event_row(event))
        except sql_error.IntegrityError:
            raise AlreadyExists(f"request id {job.request_id!r} was used before") from None

    async def job(self, job_id: str) -> Job | None:
        """A job without its chunks."""
        return await self._one_job(_jobs.c.id == job_id)

    async def job_by_request(self, request_id: str, tenant: str = "") -> Job | None:
        """The job that a request id of a tenant made."""
        return await self._one_job(_jobs.c.request_id == request_key(request_id, tenant))

    async def trace(self, job_id: str) -> JobTrace:
        """The trace of a job, which is none if nobody traced when it was submitted."""
        query = sa.select(_jobs.c.trace).where(_jobs.c.id == job_id)
        async with self._database.read() as connection:
            return JobTrace(job_id, await connection.scalar(query) or "")

    async def _one_job(self, where: sa.ColumnElement[bool]) -> Job | None:
        async with self._database.read() as connection:
            row = (await connection.execute(_JOBS.where(where))).first()
        return None if row is None else job_of(row)

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
        async with self._database.read() as connection:
            return [job_of(row) for row in await connection.execute(query)]

    async def call_off(self, job_id: str) -> None:
        """Ask the leader to cancel a job."""
        async with self._database.write(Notice(Kind.CALLED_OFF, job_id)) as connection:
            await connection.execute(
                sa.update(_jobs).where(_jobs.c.id == job_id).values(called_off=sa.true())
            )

    async def called_off(self) -> list[str]:
        """Jobs that have not ended and that somebody wants cancelled."""
        query = sa.select(_jobs.c.id).where(_jobs.c.state.not_in(ENDED), _jobs.c.called_off)
        async with self._database.read() as connection:
            return list(await connection.scalars(query))

    async def delete_job(self, job_id: str) -> None:
        """Forget a job with its sentences, attempts and events."""
        async with self._database.write(Notice(Kind.FORGOTTEN, job_id)) as connection:
            await connection.execute(sa.delete(_jobs).where(_jobs.c.id == job_id))
            for table in (_sentences, _chunks, _events, _segments, _callbacks):
                await connection.execute(sa.delete(table).where(table.c.job_id == job_id))

    async def unfinished(self, tenant: str) -> int:
        """How many jobs of a tenant wait or run."""
        query = sa.select(sa.func.count()).select_from(_jobs)
        query = query.where(_jobs.c.tenant == tenant, _jobs.c.state.not_in(ENDED))
        async with self._database.read() as connection:
            return await connection.scalar(query) or 0

    async def add_asset(self, sha256: str, tenant: str) -> None:
        """A tenant has sent an asset."""
        async with self._database.write() as connection:
            await connection.execute(self._put_asset, {"sha256": sha256, "tenant": tenant})

    async def asset_senders(self, sha256: str) -> set[str]:
        """Tenants that have sent an asset."""
        async with self._database.read() as connection:
            return set(
                await connection.scalars(sa.select(_assets.c.tenant).where(_assets.c.sha256 == sha256))
            )

    async def is_referred_to(self, sha256: str) -> bool:
        """Whether any job names an artifact as its speech, face or result."""
        named = sa.or_(*(column == sha256 for column in _NAMED))
        async with self._database.read() as connection:
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
        async with self._database.write(Notice(Kind.HAPPENED, job.id)) as connection:
            await connection.execute(_ADD_EVENT, event_row(event))
            if event.HasField("state"):
                await connection.execute(_CHANGE_JOB, change_row(job))
            if event.state.state in ENDED and job.spec.HasField("callback"):
                await connection.execute(self._put_callback, callback_row(job.id, time.time(), 0))
            if event.HasField("segment"):
                await connection.execute(_ADD_SEGMENT, segment_row(job.id, event.segment))
            if outcome is not None:
                await self.history.add(connection, job, outcome)
            if sentence is not None:
                await connection.execute(_ADD_SENTENCE, sentence_row(job.id, sentence))
            if attempt is not None:
                await connection.execute(self._put_attempt, attempt_row(job.id, attempt))
                if recipe and attempt.pieces:
                    await self.cache.keep_rendered(connection, recipe, attempt.pieces)

    async def events(self, job_id: str, from_sequence: int, limit: int) -> list[JobEvent]:
        """Stored events from a sequence number on."""
        query = (
            sa.select(_events.c.document)
            .where(_events.c.job_id == job_id, _events.c.sequence >= from_sequence)
            .order_by(_events.c.sequence)
            .limit(limit)
        )
        async with self._database.read() as connection:
            return [JobEvent.FromString(document) for document in await connection.scalars(query)]

    async def attempts(self, job_id: str) -> list[Attempt]:
        """Every attempt of a job, in the order in which they began."""
        query = sa.select(_chunks).where(_chunks.c.job_id == job_id)
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).all()
        return sorted(map(attempt_of, rows), key=lambda attempt: int(attempt.chunk.id[1:]))

    async def sentences(self, job_id: str) -> list[StoredSentence]:
        """What was spoken so far, in order."""
        query = sa.select(_sentences).where(_sentences.c.job_id == job_id).order_by(_sentences.c.position)
        async with self._database.read() as connection:
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
        async with self._database.read() as connection:
            return [common_pb2.Segment.FromString(document) for document in await connection.scalars(query)]

    # ------------------------------------------------------------ whom to tell

    async def due_callbacks(self, now: float, limit: int) -> list[tuple[str, int]]:
        """Jobs whose end somebody is to be told of by now, longest due first, and how often it was tried."""
        query = sa.select(_callbacks).where(_callbacks.c.due <= now).order_by(_callbacks.c.due).limit(limit)
        async with self._database.read() as connection:
            return [(row.job_id, row.tries) for row in await connection.execute(query)]

    async def put_callback(self, job_id: str, due: float, tries: int) -> None:
        """Somebody is to be told of a job's end at a moment (seconds since 1970)."""
        async with self._database.write() as connection:
            await connection.execute(self._put_callback, callback_row(job_id, due, tries))

    async def drop_callback(self, job_id: str) -> None:
        """Nobody is to be told of a job's end any more."""
        async with self._database.write() as connection:
            await connection.execute(sa.delete(_callbacks).where(_callbacks.c.job_id == job_id))

    # ------------------------------------------------------------ what is kept

    async def ended_before(self, moment: float, limit: int) -> list[str]:
        """Jobs that ended before a moment (seconds since 1970), oldest first."""
        query = sa.select(_jobs.c.id).where(_jobs.c.finished < moment).order_by(_jobs.c.finished).limit(limit)
        async with self._database.read() as connection:
            return list(await connection.scalars(query))

    async def referenced(self) -> set[str]:
        """Every artifact that a job, a sentence, an attempt, a segment or the cache names."""
        named: set[str] = set()
        async with self._database.read() as connection:
            named |= await _passing(connection)
            named |= await _handed_over(connection)
            for column in (*_NAMED, *_KEPT):
                named |= set(await connection.scalars(sa.select(column).distinct()))
        return named - {""}

    async def same_speech(self, speech_key: str) -> list[StoredSentence]:
        """Sentences of the latest job that finished speaking exactly this; empty when there is none."""
        query = (
            sa.select(_jobs.c.document)
            .where(_jobs.c.speech_key == speech_key)
            .order_by(_jobs.c.id.desc())
            .limit(20)
        )
        async with self._database.read() as connection:
            jobs = [Job.FromString(document) for document in await connection.scalars(query)]
        spoken = next((job for job in jobs if job.speech_final), None)
        return await self.sentences(spoken.id) if spoken is not None else []


async def _handed_over(connection: AsyncConnection) -> set[str]:
    """What unfinished chains go on from."""
    unfinished = sa.select(_jobs.c.id).where(_jobs.c.state.not_in(ENDED))
    query = sa.select(_chunks.c.document).where(_chunks.c.job_id.in_(unfinished))
    return {Chunk.FromString(row).handover.sha256 async for row in await connection.stream_scalars(query)}


async def _passing(connection: AsyncConnection) -> set[str]:
    """Voice references and backgrounds of jobs that have not ended; later nobody needs them."""
    running = sa.select(_jobs.c.document).where(_jobs.c.state.not_in(ENDED))
    jobs = [Job.FromString(document) for document in await connection.scalars(running)]
    named = ((job.spec.voice_reference_sha256, job.spec.background.picture_sha256) for job in jobs)
    return {sha256 for names in named for sha256 in names}


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
        poster=sa.bindparam("new_poster"),
    )
)
_NAMED = (_jobs.c.audio, _jobs.c.avatar, _jobs.c.video, _jobs.c.vtt, _jobs.c.srt, _jobs.c.poster)
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
