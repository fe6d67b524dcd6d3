"""What a job takes over from the one that it is an edit of."""

from __future__ import annotations

from collections.abc import Sequence

from mouthpiece.core.editing import Edit, Past, keeps_frames
from mouthpiece.rpc.convert import crossing_from_proto, engine_from_proto, span_from_proto
from mouthpiece.v1.gateway_pb2 import Job
from services.gateway.records import StoredSentence
from services.gateway.run import JobRun, recipe_of


async def edit_of(run: JobRun, sounds: Sequence[str | None]) -> Edit | None:
    """The edit that a run is, given the artifacts with its sentences' sound as far as known.

    `None` when it is none, or when nothing can be taken over; a warning then says why.
    """
    name = run.spec.previous_job_id
    if not name:
        return None
    job = await run.store.job(name)
    obstacle = _obstacle(run, job)
    if obstacle:
        run.warn(obstacle)
        return None
    past = [_past(stored) for stored in await run.store.sentences(name)]
    return Edit.of(past, sounds, run.reach)


def _obstacle(run: JobRun, earlier: Job | None) -> str:
    """Why a run takes over no frames of an earlier job, if so."""
    name = run.spec.previous_job_id
    if not run.reusable:
        return (
            f"of job {name} only speech is used again: each chunk of {run.engine.name} follows from the last"
        )
    if not keeps_frames(run.fps):
        return (
            f"none of job {name}'s frames are used again: at {float(run.fps):g} fps few begin with a sample"
        )
    if earlier is None or not earlier.speech_final:
        return f"job {name} was not spoken to its end: none of its frames are used again"
    if recipe_of(earlier, engine_from_proto(earlier.engine)) != run.recipe:
        return f"job {name} was to look otherwise: none of its frames are used again"
    return ""


def _past(stored: StoredSentence) -> Past:
    sentence = stored.sentence
    crossing = crossing_from_proto(sentence.crossing, "crossing") if sentence.HasField("crossing") else None
    return Past(stored.pcm, span_from_proto(sentence.samples, "samples"), crossing)
