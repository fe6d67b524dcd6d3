"""Job events for any number of watchers: stored ones in order and without a gap, progress as it comes.

A job is watched alike wherever it is at work: what its own gateway does not tell in memory is read from the
store when another gateway gives notice of it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable

from mouthpiece.errors import Unavailable
from mouthpiece.v1.gateway_pb2 import Job, JobEvent
from services.gateway.records import ENDED
from services.gateway.store import JobStore

PAGE = 200
REMEMBERED = 256
"""Stored events kept in memory for each running job, so that watchers who keep up need no query."""

PAGES = 4
"""Pages of stored events kept for each watched job: of many who come at once, one asks the store."""


class Feed:
    """What happens to one job that runs here, or that somebody watches here."""

    def __init__(self) -> None:
        self.recent: deque[JobEvent] = deque(maxlen=REMEMBERED)
        self.progress: JobEvent | None = None
        self.changed = asyncio.Event()
        self.local = False
        """Whether the job is at work in this process."""
        self.over = False
        """Whether nothing more will happen: its last event is stored, or it was deleted."""
        self.watchers = 0
        self.reading = asyncio.Lock()
        self._pages: dict[int, list[JobEvent]] = {}

    def publish(self, event: JobEvent) -> None:
        """Show an event that was stored."""
        self.recent.append(event)
        self.notify()

    def show(self, progress: JobEvent) -> None:
        """Replace the live figures."""
        self.progress = progress
        self.notify()

    def notify(self) -> None:
        """Wake the watchers."""
        self.changed.set()
        self.changed = asyncio.Event()

    def since(self, sequence: int) -> list[JobEvent] | None:
        """Remembered events from a sequence number on; None when the store has to be asked."""
        if not self.recent or self.recent[0].sequence > sequence:
            return None
        return [event for event in self.recent if event.sequence >= sequence]

    def page(self, sequence: int) -> list[JobEvent]:
        """Stored events from a number on as somebody read them, perhaps not all; empty: nobody did."""
        return self._pages.get(sequence, [])

    def keep(self, page: list[JobEvent]) -> None:
        """Keep what was read from the store for those who want the same."""
        if page:
            self._pages[page[0].sequence] = page
        if len(self._pages) > PAGES:
            del self._pages[next(iter(self._pages))]


class Watching:
    """The feeds of all jobs that run or are watched here. `relay` hears of the progress of local jobs."""

    def __init__(self, store: JobStore, relay: Callable[[JobEvent], None] = lambda _: None) -> None:
        self._store = store
        self.relay = relay
        self._feeds: dict[str, Feed] = {}
        self._closed = asyncio.Event()

    # ------------------------------------------------------------ of jobs that run here

    def begin(self, job_id: str) -> None:
        """A job goes to work here."""
        self._feeds.setdefault(job_id, Feed()).local = True

    def publish(self, event: JobEvent) -> None:
        """An event of a local job was stored."""
        feed = self._feeds.get(event.job_id)
        if feed is not None and feed.local:
            feed.publish(event)

    def show(self, progress: JobEvent) -> None:
        """Live figures of a local job."""
        self.heard(progress)
        self.relay(progress)

    def end(self, job_id: str) -> None:
        """A job ended, and its watchers find its last event in the store; or it is no more."""
        feed = self._feeds.get(job_id)
        if feed is not None:
            feed.over, feed.local = True, False
            feed.notify()
            self._drop(job_id, feed)

    def abandon(self) -> None:
        """No job is at work here any more; their watchers stay."""
        for job_id, feed in list(self._feeds.items()):
            feed.local, feed.progress = False, None
            feed.recent.clear()
            self._drop(job_id, feed)

    # ------------------------------------------------------------ of jobs that run elsewhere

    def watched(self) -> list[str]:
        """Jobs that somebody watches here."""
        return [job_id for job_id, feed in self._feeds.items() if feed.watchers and not feed.over]

    def nudge(self, job_id: str) -> None:
        """Something happened to a job elsewhere."""
        feed = self._feeds.get(job_id)
        if feed is not None and not feed.local:
            feed.notify()

    def nudge_all(self) -> None:
        """Anything may have happened elsewhere."""
        for job_id in self._feeds:
            self.nudge(job_id)

    def heard(self, progress: JobEvent) -> None:
        """Live figures, wherever they come from."""
        feed = self._feeds.get(progress.job_id)
        if feed is not None:
            feed.show(progress)

    # ------------------------------------------------------------ watchers

    def close(self) -> None:
        """Send all watchers away; they come back to the next process."""
        self._closed.set()
        for feed in self._feeds.values():
            feed.notify()

    async def watch(
        self, job_id: str, from_sequence: int, find: Callable[[str], Awaitable[Job]] | None = None
    ) -> AsyncGenerator[JobEvent]:
        """Yield a job's events until the one that ends it. `find` looks up one that is not at work here.

        Raises what that raises, and `Unavailable` when closed.
        """
        feed = self._feeds.setdefault(job_id, Feed())
        feed.watchers += 1
        try:
            # Looked up now, not before: if it ends from here on, this feed hears of it.
            if find is not None and (await find(job_id)).state in ENDED:
                feed.over = True
            async for event in self._follow(job_id, feed, max(1, from_sequence)):
                yield event
        finally:
            feed.watchers -= 1
            self._drop(job_id, feed)

    async def _follow(self, job_id: str, feed: Feed, wanted: int) -> AsyncGenerator[JobEvent]:
        shown: JobEvent | None = None
        while True:
            changed, over = feed.changed, feed.over
            stored = await self._stored(job_id, feed, wanted)
            for event in stored:
                yield event
                wanted = event.sequence + 1
                if event.HasField("state") and event.state.state in ENDED:
                    return
            if stored:
                continue
            if over:
                return
            if self._closed.is_set():
                raise Unavailable("the gateway is draining")
            if feed.progress is not None and feed.progress is not shown:
                shown = feed.progress
                yield shown
            await changed.wait()

    async def _stored(self, job_id: str, feed: Feed, wanted: int) -> list[JobEvent]:
        remembered = feed.since(wanted)
        if remembered is not None:
            return remembered
        async with feed.reading:
            if not feed.page(wanted):
                feed.keep(await self._store.events(job_id, wanted, PAGE))
            return feed.page(wanted)

    def _drop(self, job_id: str, feed: Feed) -> None:
        if not feed.local and not feed.watchers and self._feeds.get(job_id) is feed:
            del self._feeds[job_id]
