"""What is kept and for how long: ended jobs by age, rendered chunks by size, artifacts while they are named.

A sweep goes from the outside in: it forgets what is too old or too much, then removes artifacts that nothing
names any more. An artifact is left alone in its first hour, for whoever stored it may be about to name it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass

from mouthpiece.artifacts import ArtifactStore
from mouthpiece.errors import MouthpieceError
from services.gateway.database import StoreAway
from services.gateway.store import JobStore

log = logging.getLogger(__name__)

SWEEP_EVERY = 600.0
GRACE_SECONDS = 3600.0
PAGE = 500
DAY = 86_400.0
HISTORY_DAYS = 30


@dataclass(frozen=True, slots=True)
class Policy:
    """How long ended jobs are kept in days (0: for ever), and how many bytes of what can be reused: that many
    of rendered chunks, and as many of spoken sentences."""

    keep_days: float
    cache_bytes: int


@dataclass(frozen=True, slots=True)
class Swept:
    """What a sweep removed."""

    jobs: int
    chunks: int
    sentences: int
    artifacts: int
    bytes: int


class Retention:
    """Sweeps now and then."""

    def __init__(self, store: JobStore, artifacts: ArtifactStore, policy: Policy) -> None:
        self._store = store
        self._artifacts = artifacts
        self._policy = policy

    async def run(self) -> None:
        """Sweep every ten minutes until cancelled, also after one that broke off. Raises `StoreAway`."""
        while True:
            await asyncio.sleep(SWEEP_EVERY)
            try:
                swept = await self.sweep(time.time())
            except StoreAway:
                raise
            except (MouthpieceError, OSError) as error:
                log.warning("a sweep broke off: %s", error)
                continue
            if swept.jobs or swept.chunks or swept.artifacts:
                log.info("swept %s", swept)

    async def sweep(self, now: float) -> Swept:
        """Remove what need not be kept at a moment (seconds since 1970)."""
        jobs = await self._forget_jobs(now)
        await self._store.history.shorten(now - DAY * HISTORY_DAYS)
        chunks = await self._store.cache.shrink_rendered(self._policy.cache_bytes)
        sentences = await self._store.cache.shrink_spoken(self._policy.cache_bytes)
        await self._artifacts.sweep()
        artifacts, size = await self._remove_artifacts(now)
        return Swept(jobs, chunks, sentences, artifacts, size)

    async def _forget_jobs(self, now: float) -> int:
        if not self._policy.keep_days:
            return 0
        old = await self._store.ended_before(now - DAY * self._policy.keep_days, PAGE)
        for job_id in old:
            await self._store.delete_job(job_id)
        return len(old)

    async def _remove_artifacts(self, now: float) -> tuple[int, int]:
        # Listed first, then compared: what is named after the listing is never in it.
        old = [e.artifact async for e in self._artifacts.entries() if e.stored < now - GRACE_SECONDS]
        named = await self._store.referenced()
        surplus = [artifact for artifact in old if artifact.sha256 not in named]
        for artifact in surplus:
            await self._artifacts.delete(artifact.sha256)
        return len(surplus), sum(artifact.size_bytes for artifact in surplus)
