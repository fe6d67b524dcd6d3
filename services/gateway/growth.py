"""A speech grows: the scheduler is told, and what was rendered to the same speech before is taken up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from mouthpiece.core.motion import stretches
from mouthpiece.core.scheduler.events import Event, SpeechGrew
from mouthpiece.core.speech import CutMark, cut_marks, ready_frames
from mouthpiece.core.timeline import Span, frame_count
from mouthpiece.errors import DataLoss, MouthpieceError
from mouthpiece.v1.gateway_pb2 import CHUNK_STATE_DONE, JOB_STATE_RENDERING
from services.gateway.chunks import Chunks, joined
from services.gateway.heard import hear
from services.gateway.records import Attempt, Rendered, StoredSentence
from services.gateway.run import JobRun, end_chunk, new_chunk
from services.gateway.speech import SpeechLibrary


class Growth:
    """Tells the scheduler how a speech grows, and which frames of it exist already."""

    def __init__(
        self, run: JobRun, library: SpeechLibrary, chunks: Chunks, tell: Callable[[Event], None]
    ) -> None:
        self._run = run
        self._library = library
        self._chunks = chunks
        self._tell = tell
        self._samples = 0
        self._marks: list[CutMark] = []
        self._reused = max((span.end for span in run.rendered), default=0)
        self._hits = sum(attempt.chunk.cached for attempt in run.attempts.values())

    async def hear(self, stored: StoredSentence) -> None:
        """One more sentence is there."""
        sentence = await self._library.sentence(stored)
        self._samples = sentence.samples.end
        self._marks += cut_marks(sentence, self._run.fps)

    async def tell(self, *, final: bool) -> None:
        """Let the scheduler know of all that was heard since the last time."""
        run = self._run
        ready = ready_frames(self._samples, run.fps, run.reach.tail, final=final)
        marks, self._marks = tuple(self._marks), []
        cached = await self._find_cached(ready)
        self._tell(SpeechGrew(run.id, ready, marks, final, 0, cached))

    async def finish(self) -> None:
        """There are no more sentences."""
        run = self._run
        if not run.sentences:
            raise MouthpieceError("the speech service had nothing to say")
        if not run.job.speech_final:
            run.job.speech_final = True
            run.job.samples = self._samples
            run.job.frames = frame_count(self._samples, run.fps)
            await run.enter(JOB_STATE_RENDERING)
        await self.tell(final=True)

    async def _find_cached(self, ready: int) -> tuple[Span, ...]:
        """Frames that were rendered before to the same speech at the same place, without overlap."""
        found = await rendered_before(self._run, self._library, self._reused, ready)
        if found:
            self._reused = found[-1].frames.end
        return tuple([part.frames for part in found if await self._reuse(part)])

    async def _reuse(self, rendered: Rendered) -> bool:
        """Take up frames that exist, unless their artifact is damaged."""
        try:
            await self._chunks.check(rendered)
        except DataLoss:
            return False
        self._hits += 1
        chunk = new_chunk(f"c{self._hits}", rendered.frames, "")
        chunk.cached = True
        await self._run.store.cache.touch(self._run.recipe, rendered)
        end_chunk(chunk, CHUNK_STATE_DONE, frames_done=len(rendered.frames))
        await self._run.update_chunk(Attempt(chunk, rendered))
        return True


async def rendered_before(run: JobRun, library: SpeechLibrary, first: int, ready: int) -> list[Rendered]:
    """Frames between `first` and `ready` that exist and are not at work, in order, without overlap.

    They may have been rendered for another place of a video: what counts is their place in the motion.
    """
    if run.spec.ignore_cache or not run.reusable or first >= ready:
        return []
    found: list[Rendered] = []
    heard: dict[Span, str] = {}
    for stretch, offset in stretches(Span(first, ready), run.crossings):
        for piece in await run.store.cache.rendered(run.recipe, stretch.shift(offset), ready + offset):
            frames = piece.frames.shift(-offset)
            if frames.first < first or run.attempted(frames):
                continue
            if frames not in heard:
                heard[frames] = (await hear(run, library, frames)).digest
            if heard[frames] == piece.speech:
                found.append(replace(piece, frames=frames))
                first = frames.end
    return joined(found)
