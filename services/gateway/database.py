"""The database under the job store: how it is opened, read and written, and what tells that it is away.

Every write is one transaction, and what it says is durable when it returns. SQLite has one writer at a time
and one gateway. On PostgreSQL several gateways share the database: a write carries the notice that tells the
others of it, and a database `under` a term refuses to be written once another gateway leads.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from contextlib import asynccontextmanager, contextmanager, nullcontext
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import sqlalchemy as sa
from sqlalchemy import event as sql_event
from sqlalchemy import exc as sql_error
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from mouthpiece.errors import Unavailable
from services.gateway import migrations
from services.gateway.notices import CHANNEL, Notice
from services.gateway.schema import lease as _lease

_Parameters = ParamSpec("_Parameters")
_Result = TypeVar("_Result")

STATEMENT_SECONDS = 10.0
"""Longest wait for PostgreSQL to answer."""

IDLE_SECONDS = 3.0
"""When PostgreSQL gives up a transaction whose gateway has frozen, and with it the locks that it holds."""


FULL_SECONDS = 30.0
"""Until a write that did not fit is worth another try."""

_DISK_FULL = "53100"
"""SQLSTATE of PostgreSQL's `disk_full`."""


class StoreAway(Unavailable):
    """The job store does not answer, or another gateway leads by now. What was to be written may or may not
    be there: go on from what the store says."""


class StoreFull(StoreAway):
    """The disk under the job store is full. Nothing was written; what is stored can be read. Room is made by
    deletion, which takes its time."""

    status = "RESOURCE_EXHAUSTED"


def to_the_end(
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


class Database:
    """A database, as one gateway reads and writes it."""

    def __init__(self, engine: AsyncEngine, term: int | None = None) -> None:
        self.engine = engine
        self.shared = engine.dialect.name == "postgresql"
        self._term = term
        self._writing = asyncio.Lock()

    @classmethod
    async def open(cls, url: str) -> Database:
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

    def under(self, term: int) -> Database:
        """The same database for the leader of a term: it writes nothing once the term is over."""
        return Database(self.engine, term)

    async def close(self) -> None:
        """Close all connections."""
        await self.engine.dispose()

    def insert(self, table: sa.Table) -> postgresql.Insert | sqlite.Insert:
        """An insertion that may say what to do about a row that is there already."""
        return postgresql.insert(table) if self.shared else sqlite.insert(table)

    def upsert(self, table: sa.Table) -> sa.Insert:
        """Put a row, in place of the one with the same key if there is any."""
        insert = self.insert(table)
        key = [column.name for column in table.primary_key]
        rest = {
            column.name: insert.excluded[column.name] for column in table.columns if not column.primary_key
        }
        return insert.on_conflict_do_update(index_elements=key, set_=rest)

    @asynccontextmanager
    async def read(self) -> AsyncGenerator[AsyncConnection]:
        """A connection to read from. Raises `StoreAway`."""
        with reachable():
            async with self.engine.connect() as connection:
                yield connection

    @asynccontextmanager
    async def write(self, notice: Notice | None = None) -> AsyncGenerator[AsyncConnection]:
        """A transaction; `notice` is what the other gateways hear when it is done. Raises `StoreAway`."""
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


@contextmanager
def reachable() -> Generator[None]:
    """Tell a store that does not answer from one that answers no."""
    try:
        yield
    except (sql_error.IntegrityError, sql_error.ProgrammingError, sql_error.DataError):
        raise
    except (sql_error.DBAPIError, sql_error.TimeoutError, TimeoutError, OSError) as error:
        if isinstance(error, sql_error.DBAPIError) and _tells_of_full_disk(error.orig):
            raise StoreFull("the disk with the job store is full", FULL_SECONDS) from error
        raise StoreAway("the job store does not answer") from error


def _tells_of_full_disk(error: BaseException | None) -> bool:
    if isinstance(error, sqlite3.Error):
        return getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_FULL
    return getattr(error, "sqlstate", "") == _DISK_FULL


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


def _tune_sqlite(connection: sa.engine.interfaces.DBAPIConnection, _record: object) -> None:
    cursor = connection.cursor()
    # Readers do not wait for the writer.
    cursor.execute("PRAGMA journal_mode=WAL")
    # The log is flushed at every commit: what was answered survives a power cut.
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA busy_timeout=10000")
    cursor.close()
