"""Who leads: one row that the leader renews, and that another takes when it has not been renewed for long.

Each time that it is taken begins a term with a number of its own. A leader that was frozen, or cut off from
the database, writes under the old number and is refused (`JobStore.under`): no two gateways schedule.
Times are those of the database's clock.
"""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from services.gateway.database import reachable
from services.gateway.notices import CHANNEL, Kind, Notice
from services.gateway.outlook import Outlook, read_outlook, write_outlook
from services.gateway.schema import lease as _lease

LEASE_SECONDS = 4.0
"""How long a leader that is not heard of still leads."""

RENEW_EVERY = 1.0

_NOW = sa.extract("epoch", sa.func.clock_timestamp())


@dataclass(frozen=True, slots=True)
class Look:
    """The lease as it is: whether it may be taken, who had it last, and what that one told."""

    free: bool
    holder: str
    outlook: Outlook


class Lease:
    """The lease in PostgreSQL, as one gateway sees it. Every method raises `StoreAway`."""

    def __init__(self, engine: AsyncEngine, holder: str) -> None:
        self._engine = engine
        self.holder = holder

    async def look(self) -> Look:
        """See who leads."""
        query = sa.select(_lease.c.holder, _lease.c.outlook, (_NOW - _lease.c.beat).label("age"))
        with reachable():
            async with self._engine.connect() as connection:
                row = (await connection.execute(query)).one()
        return Look(row.age > LEASE_SECONDS, row.holder, read_outlook(row.outlook))

    async def take(self) -> int | None:
        """Begin a term if nobody leads. Returns its number, or None when another was faster."""
        return await self._change(
            sa.update(_lease)
            .where(_lease.c.beat < _NOW - LEASE_SECONDS)
            .values(epoch=_lease.c.epoch + 1, holder=self.holder, beat=_NOW)
        )

    async def renew(self, term: int, outlook: Outlook) -> bool:
        """Go on leading. False when the term is over."""
        own = sa.update(_lease).where(_lease.c.epoch == term)
        return await self._change(own.values(beat=_NOW, outlook=write_outlook(outlook))) is not None

    async def release(self, term: int) -> None:
        """End a term, and tell the others that there is nobody."""
        await self._change(sa.update(_lease).where(_lease.c.epoch == term).values(beat=0.0), vacant=True)

    async def _change(self, change: sa.Update, *, vacant: bool = False) -> int | None:
        with reachable():
            async with self._engine.begin() as connection:
                epoch: int | None = await connection.scalar(change.returning(_lease.c.epoch))
                if vacant:
                    await connection.execute(
                        sa.select(sa.func.pg_notify(CHANNEL, Notice(Kind.VACANT).payload()))
                    )
        return epoch
