"""One merge: the calls of a `Merger` in a thread of its own, and the files that it needs."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Self, TypeVar

from mouthpiece.artifacts import Artifact, ArtifactStore
from mouthpiece.core.timeline import Span
from mouthpiece.errors import BadInput
from mouthpiece.media.captions import Cue, to_srt, to_vtt
from mouthpiece.media.credentials import Record
from mouthpiece.media.merge import SYNTHETIC_MARK, MergeFormat, Merger
from mouthpiece.media.poster import make_poster
from mouthpiece.media.quality import Quality
from services.merger.signing import Signatory

log = logging.getLogger(__name__)

_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class StoredSegment:
    """A segment in the store: its number, its frames, its fragment and what goes in front of the first."""

    index: int
    frames: Span
    media: Artifact
    init: Artifact


class MergeWork:
    """A merge that may be called off at any await; leaving the context cleans up.

    Calls follow each other: one is awaited before the next begins.
    """

    def __init__(
        self,
        folder: Path,
        artifacts: ArtifactStore,
        form: MergeFormat,
        title: str,
        language: str,
        *,
        captions: bool,
        fragmented: bool = False,
        fading: Quality | None = None,
    ) -> None:
        self._artifacts = artifacts
        # One thread: what a cancelled call left running ends before anything is taken away from it.
        self._thread = ThreadPoolExecutor(1, "merge")
        self._folder = TemporaryDirectory(prefix="merge-", dir=folder)
        self._output = Path(self._folder.name) / "movie.mp4"
        self._merger = Merger(
            self._output,
            form,
            title=title,
            language=language,
            captions=captions,
            fragmented=fragmented,
            fading=fading,
        )
        self._init: Artifact | None = None
        self._held: deque[tuple[int, AsyncExitStack]] = deque()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        cleaning = asyncio.wrap_future(self._thread.submit(self._clean))
        self._thread.shutdown(wait=False)
        await _to_the_end(cleaning)
        await self._release(None)

    @property
    def frames(self) -> int:
        """Frames in the movie so far."""
        return self._merger.frames_written

    @property
    def samples(self) -> int:
        """Samples in the movie so far."""
        return self._merger.samples_written

    async def add_chunk(self, frames: Span, sha256: str, skip: int = 0, rest: int = 0, fade: int = 0) -> None:
        """Take a chunk out of the store. Raises what `Merger.add_chunk` does, `NotFound` and `DataLoss`."""
        hold = AsyncExitStack()
        self._held.append((frames.end, hold))
        path = await hold.enter_async_context(self._artifacts.local(sha256))
        await self._call(lambda: self._merger.add_chunk(frames, path, skip, rest, fade))
        await self._release(self.frames)

    async def add_speech(self, samples: Span, pcm: bytes) -> None:
        """Take speech. Raises what `Merger.add_speech` does."""
        await self._call(lambda: self._merger.add_speech(samples, pcm))
        await self._release(self.frames)

    def add_caption(self, cue: Cue) -> None:
        """Take a caption. Raises what `Merger.add_caption` does."""
        self._merger.add_caption(cue)

    async def store_captions(self) -> tuple[Artifact, Artifact] | None:
        """Put the captions into the store, as WebVTT and as SRT; None when there are none."""
        captions = self._merger.captions
        if not captions:
            return None
        vtt, srt = to_vtt(captions).encode(), to_srt(captions).encode()
        return await self._artifacts.put_bytes(vtt), await self._artifacts.put_bytes(srt)

    async def finish(self, frames: int, samples: int, provenance: str) -> None:
        """Finish the movie. Raises what `Merger.finish` does."""
        await self._call(lambda: self._merger.finish(frames, samples, provenance))

    async def sign(self, signatory: Signatory, title: str, record: Record) -> str:
        """Sign the finished movie. Returns the signer's name; raises `SigningFailed`, and the movie stays."""
        signed = self._output.with_name("signed.mp4")
        name = await self._call(lambda: signatory.sign(self._output, signed, title, record))
        signed.replace(self._output)
        return name

    async def store_movie(self) -> Artifact:
        """Put the finished movie into the store."""
        return await self._artifacts.put_file(self._output)

    async def store_poster(self) -> Artifact | None:
        """Put a frame of the finished movie into the store; None when it cannot be decoded."""
        try:
            picture = await self._call(lambda: make_poster(self._output, SYNTHETIC_MARK))
        except BadInput as error:
            log.warning("there is no poster: %s", error.message)
            return None
        return await self._artifacts.put_bytes(picture)

    async def store_segments(self) -> AsyncGenerator[StoredSegment]:
        """Put the segments that there are since the last time into the store."""
        for segment in self._merger.take_segments():
            if self._init is None:
                self._init = await self._artifacts.put_bytes(self._merger.init)
            media = await self._artifacts.put_file(segment.path)
            segment.path.unlink()
            yield StoredSegment(segment.index, segment.frames, media, self._init)

    async def _call(self, work: Callable[[], _Result]) -> _Result:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    async def _release(self, copied: int | None) -> None:
        """Let go of the chunks that are in the movie, or of all."""
        while self._held and (copied is None or self._held[0][0] <= copied):
            await self._held.popleft()[1].aclose()

    def _clean(self) -> None:
        self._merger.close()
        self._folder.cleanup()


async def _to_the_end(work: asyncio.Future[None]) -> None:
    """Wait for something that ends soon, and only then give in to being cancelled."""
    cancelled: asyncio.CancelledError | None = None
    while not work.done():
        try:
            await asyncio.shield(work)
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled:
        raise cancelled
    work.result()
