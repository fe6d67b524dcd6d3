"""What became of jobs lately, for those who look at the cluster."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress

from mouthpiece.rpc.convert import duration
from mouthpiece.v1.gateway_pb2 import ClusterStatistics
from services.gateway.database import StoreAway
from services.gateway.store import JobStore

PERIODS = (3_600.0, 86_400.0)
"""Seconds over which sums are told."""

FRESH_SECONDS = 10.0


class Ledger:
    """Sums over the history, counted again when they are older than ten seconds and somebody asks."""

    def __init__(self, store: JobStore) -> None:
        self._store = store
        self._counting = asyncio.Lock()
        self._counted = float("-inf")
        self._known: list[ClusterStatistics] = []

    async def statistics(self) -> list[ClusterStatistics]:
        """One for each of `PERIODS`; the last that were counted while the store is away."""
        async with self._counting:
            if time.monotonic() - self._counted > FRESH_SECONDS:
                with suppress(StoreAway):
                    self._known = [await self._count(period) for period in PERIODS]
                self._counted = time.monotonic()
        return self._known

    async def _count(self, period: float) -> ClusterStatistics:
        counted = await self._store.history.statistics(time.time() - period)
        counted.period.CopyFrom(duration(period))
        return counted
