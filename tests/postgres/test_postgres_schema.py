from __future__ import annotations

import asyncio

from services.gateway.store import JobStore
from tests.gateway.test_schema import differences
from tests.support.postgres import Databases


async def test_gateways_that_start_at_once_on_an_empty_database_make_the_schema_once(
    databases: Databases,
) -> None:
    url = databases.new_url()
    stores = await asyncio.gather(*(JobStore.open(url) for _ in range(4)))
    async with stores[0].engine.connect() as connection:
        assert await connection.run_sync(differences) == []
    for store in stores:
        await store.close()
