"""What of a job exists before it is begun: sentences that were spoken before, and frames rendered to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mouthpiece.core.speech import ready_frames
from mouthpiece.core.timeline import Span, frame_count
from mouthpiece.v1 import common_pb2
from mouthpiece.v1.tts_pb2 import PlannedSentence
from services.gateway.growth import rendered_before
from services.gateway.placing import move
from services.gateway.records import StoredSentence
from services.gateway.run import JobRun
from services.gateway.speaking import speech_key
from services.gateway.speech import SpeechLibrary


@dataclass(frozen=True, slots=True)
class Known:
    """How many sentences need not be spoken, and which frames need not be rendered."""

    sentences: int
    frames: tuple[Span, ...]


async def foresee(run: JobRun, text: Sequence[PlannedSentence], library: SpeechLibrary) -> Known:
    """What exists of a job that is not begun. Frames are known as far as the speech is, from its beginning.

    A job whose whole speech is known learns its exact length.
    """
    if run.spec.audio_sha256:
        run.sentences = await run.store.same_speech(speech_key(run.spec))
        known, whole = len(run.sentences), bool(run.sentences)
    else:
        spoken = await run.store.cache.spoken([planned.key for planned in text])
        run.sentences = _placed(text, spoken)
        known, whole = sum(planned.key in spoken for planned in text), len(run.sentences) == len(text)
    if not all([await library.holds(stored.pcm) for stored in run.sentences]):
        return Known(0, ())
    if whole:
        run.job.samples = run.samples
        run.job.frames = frame_count(run.samples, run.fps)
    ready = ready_frames(run.samples, run.fps, run.engine.tail_samples, final=whole)
    found = await rendered_before(run, library, 0, ready)
    return Known(known, tuple(rendered.frames for rendered in found))


def _placed(text: Sequence[PlannedSentence], spoken: dict[str, StoredSentence]) -> list[StoredSentence]:
    """The sentences at the beginning of a text that are known, one after another."""
    found: list[StoredSentence] = []
    samples = 0
    for index, planned in enumerate(text):
        stored = spoken.get(planned.key)
        if stored is None:
            break
        sentence = common_pb2.Sentence()
        sentence.CopyFrom(stored.sentence)
        move(sentence, samples, planned.source.first, index)
        samples = sentence.samples.end
        found.append(StoredSentence(sentence, stored.pcm))
    return found
