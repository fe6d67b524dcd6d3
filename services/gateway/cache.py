"""What can be reused, and by which key it is found: rendered chunks, and spoken sentences."""

from __future__ import annotations

import time
from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from mouthpiece.core.timeline import Span
from mouthpiece.v1 import common_pb2
from services.gateway.database import Database, to_the_end
from services.gateway.records import Rendered, Row, StoredSentence, rendered_of, rendered_row
from services.gateway.schema import rendered as _rendered
from services.gateway.schema import spoken as _spoken

_MOST_KEYS = 500
"""Keys in one query: databases limit the parameters of a statement."""


class Cache:
    """The index of what can be reused; the content is in the artifact store."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._put_rendered = database.upsert(_rendered)
        self._add_spoken = database.insert(_spoken).on_conflict_do_nothing()

    @to_the_end
    async def spoken(self, keys: Sequence[str]) -> dict[str, StoredSentence]:
        """The sentences that are kept under some keys; they count as used."""
        found: dict[str, StoredSentence] = {}
        for first in range(0, len(keys), _MOST_KEYS):
            wanted = _spoken.c.key.in_(keys[first : first + _MOST_KEYS])
            async with self._database.write() as connection:
                await connection.execute(sa.update(_spoken).where(wanted).values(used=time.time()))
                for row in await connection.execute(sa.select(_spoken).where(wanted)):
                    found[row.key] = StoredSentence(common_pb2.Sentence.FromString(row.document), row.pcm)
        return found

    @to_the_end
    async def keep_spoken(self, key: str, stored: StoredSentence, size_bytes: int) -> StoredSentence:
        """Keep a sentence under a key, unless there is one already. Returns the one that is kept."""
        row: Row = {
            "key": key,
            "pcm": stored.pcm,
            "size_bytes": size_bytes,
            "document": stored.sentence.SerializeToString(),
            "used": time.time(),
        }
        async with self._database.write() as connection:
            await connection.execute(self._add_spoken, row)
        return (await self.spoken([key])).get(key, stored)

    @to_the_end
    async def forget_spoken(self, keys: Sequence[str]) -> None:
        """The sound of some sentences is gone."""
        async with self._database.write() as connection:
            await connection.execute(sa.delete(_spoken).where(_spoken.c.key.in_(keys)))

    async def keep_rendered(
        self, connection: AsyncConnection, recipe: str, pieces: Sequence[Rendered]
    ) -> None:
        """Find these pieces by a recipe from now on, as part of a transaction."""
        await connection.execute(self._put_rendered, [rendered_row(recipe, piece) for piece in pieces])

    @to_the_end
    async def touch(self, recipe: str, rendered: Rendered) -> None:
        """Frames were reused: they are worth keeping."""
        table = _rendered.c
        async with self._database.write() as connection:
            await connection.execute(
                sa.update(_rendered)
                .where(
                    table.recipe == recipe,
                    table.sha256 == rendered.chunk.sha256,
                )
                .values(used=time.time())
            )

    async def rendered(self, recipe: str, first: Span, end: int) -> list[Rendered]:
        """What was made by a recipe, begins within `first` and ends by `end`, all in frames of the motion.

        By first frame, longest first.
        """
        table = _rendered.c
        query = (
            sa.select(_rendered)
            .where(
                table.recipe == recipe,
                table.first >= first.first,
                table.first < first.end,
                table.end <= end,
            )
            .order_by(table.first, table.end.desc())
        )
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).all()
        return [rendered_of(row, Span(row.first, row.end)) for row in rows]

    async def shrink_rendered(self, limit_bytes: int) -> int:
        """Forget the rendered chunks that were unused for longest, until the rest fits. Returns how many."""
        return await self._shrink(_rendered, _rendered.c.sha256, limit_bytes)

    async def shrink_spoken(self, limit_bytes: int) -> int:
        """Forget the spoken sentences that were unused for longest, until the rest fits. Returns how many."""
        return await self._shrink(_spoken, _spoken.c.pcm, limit_bytes)

    async def _shrink(self, table: sa.Table, name: sa.Column[str], limit_bytes: int) -> int:
        """Forget the rows of surplus artifacts: one takes its place for as long as any row names it."""
        used, size = sa.func.max(table.c.used).label("used"), sa.func.max(table.c.size_bytes).label("size")
        artifacts = sa.select(name.label("name"), used, size).group_by(name).subquery()
        kept = sa.func.sum(artifacts.c.size).over(order_by=(artifacts.c.used.desc(), artifacts.c.name))
        ranked = sa.select(artifacts.c.name, kept.label("kept")).subquery()
        surplus = sa.select(ranked.c.name).where(ranked.c.kept > limit_bytes)
        async with self._database.write() as connection:
            names = list(await connection.scalars(surplus))
            for surplus_name in names:
                await connection.execute(sa.delete(table).where(name == surplus_name))
        return len(names)
