"""Job events for any number of watchers: stored ones in order and without a gap, progress as it comes."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator

from mouthpiece.errors import Unavailable
from mouthpiece.v1.gateway_pb2 import JobEvent
from services.gateway.store import ENDED, JobStore

PAGE = 200
REMEMBERED = 256
"""Stored events kept in memory for each running job, so that watchers who keep up need no query."""


class Feed:
    """What happens to one running job."""

    def __init__(self) -> None:
        self.recent: deque[JobEvent] = deque(maxlen=REMEMBERED)
        self.progress: JobEvent | None = None
        self.changed = asyncio.Event()

    def publish(self, event: JobEvent) -> None:
        """Show an event that was stored."""
        self.recent.append(event)
        self._notify()

    def show(self, progress: JobEvent) -> None:
        """Replace the live figures."""
        self.progress = progress
        self._notify()

    def _notify(self) -> None:
        self.changed.set()
        self.changed = asyncio.Event()

    def since(self, sequence: int) -> list[JobEvent] | None:
        """Remembered events from a sequence number on; None when older ones are needed from the store."""
        if not self.recent or self.recent[0].sequence > sequence:
            return None
        return [event for event in self.recent if event.sequence >= sequence]


class Watching:
    """The feeds of all running jobs."""

    def __init__(self, store: JobStore) -> None:
        self._store = store
        self._feeds: dict[str, Feed] = {}
        self._closed = asyncio.Event()

    def feed(self, job_id: str) -> Feed:
        """The feed of a running job, made when missing."""
        return self._feeds.setdefault(job_id, Feed())

    def end(self, job_id: str) -> None:
        """A job ended: its last event is stored, and its watchers find it there."""
        feed = self._feeds.pop(job_id, None)
        if feed is not None:
            feed.changed.set()

    def close(self) -> None:
        """Send all watchers away; they come back to the next process."""
        self._closed.set()
        for feed in self._feeds.values():
            feed.changed.set()

    async def watch(self, job_id: str, from_sequence: int) -> AsyncGenerator[JobEvent]:
        """Yield a job's events until the one that ends it. Raises `Unavailable` when closed."""
        wanted = max(1, from_sequence)
        shown: JobEvent | None = None
        while True:
            feed = self._feeds.get(job_id)
            changed = feed.changed if feed is not None else None
            for event in await self._stored(job_id, feed, wanted):
                yield event
                wanted = event.sequence + 1
                if event.HasField("state") and event.state.state in ENDED:
                    return
            if self._closed.is_set():
                raise Unavailable("the gateway is draining")
            if feed is None or changed is None:
                return
            if feed.progress is not None and feed.progress is not shown:
                shown = feed.progress
                yield shown
            await changed.wait()

    async def _stored(self, job_id: str, feed: Feed | None, wanted: int) -> list[JobEvent]:
        remembered = feed.since(wanted) if feed is not None else None
        if remembered is not None:
            return remembered
        found: list[JobEvent] = []
        while page := await self._store.events(job_id, wanted + len(found), PAGE):
            found += page
        return found
