"""What an engine is told of some frames of a job: their places in the motion, and the speech there."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

from mouthpiece.core.motion import Course, course, samples_in
from mouthpiece.core.speech import SpeechSlice
from mouthpiece.core.timeline import Span
from mouthpiece.rpc.convert import crossing_to_proto
from mouthpiece.rpc.speech_codec import slice_to_proto
from services.gateway.run import JobRun
from services.gateway.speech import SpeechLibrary


@dataclass(frozen=True, slots=True)
class Heard:
    """Frames by their places in the motion, and the speech around them, counted from the same beginning."""

    course: Course
    speech: SpeechSlice

    @property
    def digest(self) -> str:
        """A name for all of it but the frames: with them, and a job's recipe, it tells pictures apart."""
        parts = [slice_to_proto(self.speech), *map(crossing_to_proto, self.course.crossings)]
        state = hashlib.sha256()
        for part in parts:
            state.update(part.SerializeToString(deterministic=True))
        return state.hexdigest()


async def hear(run: JobRun, library: SpeechLibrary, frames: Span) -> Heard:
    """What the engine of a run is told of some of its frames."""
    taken = course(run.around(frames), run.crossings)
    speech = await library.cut(run.sentences, run.heard(frames))
    return Heard(
        replace(taken, frames=frames.shift(taken.offset)), speech.shift(samples_in(taken.offset, run.fps))
    )
