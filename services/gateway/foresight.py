"""What of a job exists before it is begun: sentences that were spoken before, and frames rendered to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mouthpiece.core.timeline import Span, frame_count
from mouthpiece.v1.tts_pb2 import PlannedSentence
from services.gateway.editing import edit_of
from services.gateway.growth import rendered_before
from services.gateway.placing import placed
from services.gateway.records import StoredSentence
from services.gateway.run import JobRun
from services.gateway.speaking import speech_key
from services.gateway.speech import SpeechLibrary, silence


@dataclass(frozen=True, slots=True)
class Known:
    """How many sentences need not be spoken, and which frames need not be rendered."""

    sentences: int
    frames: tuple[Span, ...]


async def foresee(run: JobRun, text: Sequence[PlannedSentence], library: SpeechLibrary) -> Known:
    """What exists of a job that is not begun; a job whose whole speech is known learns its exact length.

    A sentence that is still to be spoken counts as silence of its likely length. Of an edit, what is behind
    it can be told all the same.
    """
    if run.spec.audio_sha256:
        run.sentences = await run.store.same_speech(speech_key(run.spec))
        known = len(run.sentences)
        if not all([await library.holds(stored.pcm) for stored in run.sentences]):
            return Known(0, ())
    else:
        spoken = await _spoken(run, text, library)
        run.sentences = await _placed(run, text, spoken, library)
        known = sum(planned.key in spoken for planned in text)
    if run.sentences:
        run.job.samples = run.samples
        run.job.frames = frame_count(run.samples, run.fps)
    found = await rendered_before(run, library, 0, frame_count(run.samples, run.fps))
    return Known(known, tuple(rendered.frames for rendered in found))


async def _spoken(
    run: JobRun, text: Sequence[PlannedSentence], library: SpeechLibrary
) -> dict[str, StoredSentence]:
    """What of a text was spoken before, and is still there."""
    found = await run.store.cache.spoken([planned.key for planned in text])
    return {key: stored for key, stored in found.items() if await library.holds(stored.pcm)}


async def _placed(
    run: JobRun, text: Sequence[PlannedSentence], spoken: dict[str, StoredSentence], library: SpeechLibrary
) -> list[StoredSentence]:
    """The sentences of a text, one after another."""
    lengths = [planned.source.end - planned.source.first for planned in text]
    sounds = [spoken[planned.key].pcm if planned.key in spoken else None for planned in text]
    edit = await edit_of(run, sounds)
    found: list[StoredSentence] = []
    for planned, length in zip(text, lengths, strict=True):
        likely = run.job.samples * length // max(1, sum(lengths))
        alone = spoken.get(planned.key) or silence(likely)
        sounding = await library.sounding(alone)
        sentence = placed(alone.sentence, sounding, planned.source.first, found, edit)
        found.append(StoredSentence(sentence, alone.pcm))
    return found
