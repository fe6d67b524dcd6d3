"""What a job says of what made its video."""

from __future__ import annotations

import hashlib
from pathlib import Path

from google.protobuf import json_format

from mouthpiece.core.engines import EngineClass, EngineInfo, Weights
from mouthpiece.core.speech import BYTES_PER_SAMPLE
from mouthpiece.core.timeline import SPEECH_RATE
from mouthpiece.v1 import common_pb2
from mouthpiece.v1 import gateway_pb2 as pb
from tests.support.gateway_fakes import SENTENCE_SECONDS, FakeSuite, fake_suite

LIMIT = 20
TEXT = "One. Two. Three."
MODEL = Weights("lips.pt", "a" * 64)


async def made(suite: FakeSuite, **spec: str) -> pb.Job:
    """A job that is done."""
    request = pb.SubmitJobRequest(spec=pb.JobSpec(text=TEXT, **spec))  # type: ignore[arg-type]
    job = (await suite.stub.SubmitJob(request)).job
    async for _ in suite.stub.WatchJob(pb.WatchJobRequest(job_id=job.id), timeout=LIMIT):
        pass
    found = (await suite.stub.GetJob(pb.GetJobRequest(job_id=job.id))).job
    assert found.state == pb.JOB_STATE_DONE, found.error
    return found


async def test_the_file_and_the_job_carry_the_same_record(suite: FakeSuite) -> None:
    job = await made(suite, consent_reference="contract 7")
    record = json_format.Parse(suite.merger.record, common_pb2.Provenance())
    assert record == job.provenance
    assert (record.job_id, record.created) == (job.id, job.created)
    assert (record.engine, record.engine_version, record.encoder) == ("viseme", "fake-1", "libx264")
    assert record.consent_reference == "contract 7"
    assert record.normalization == "rules"
    assert record.seed == job.seed


async def test_it_names_every_chunk_that_is_shown_and_the_whole_speech(suite: FakeSuite) -> None:
    job = await made(suite)
    chunks = job.provenance.chunks
    assert [chunk.frames.first for chunk in chunks] == [0, *(chunk.frames.end for chunk in chunks)][:-1]
    assert chunks[-1].frames.end == job.frames
    assert all([await suite.artifacts.has(chunk.sha256) for chunk in chunks])
    size = BYTES_PER_SAMPLE * SENTENCE_SECONDS * SPEECH_RATE
    speech = b"".join(word.encode().ljust(size, b"\0") for word in ("One", "Two", "Three"))
    assert job.provenance.speech_sha256 == hashlib.sha256(speech).hexdigest()


async def test_a_merge_that_is_begun_anew_says_everything_once(suite: FakeSuite) -> None:
    suite.merger.break_times = 2
    job = await made(suite)
    assert suite.merger.merges == 3
    assert len({chunk.frames.first for chunk in job.provenance.chunks}) == len(job.provenance.chunks)
    assert len(job.provenance.speakers) == 1


async def test_it_tells_when_another_voice_went_on(suite: FakeSuite) -> None:
    suite.speech.engines = lambda index: "fake" if index < 1 else "spare"
    record = (await made(suite)).provenance
    assert record.voice.engine == "fake"
    assert [speaker.engine for speaker in record.speakers] == ["fake", "spare"]
    assert record.fallback == common_pb2.FALLBACK_TAKEN_ENGINE


async def test_sentences_that_were_spoken_before_keep_their_speaker(suite: FakeSuite) -> None:
    first, again = [(await made(suite)).provenance for _ in range(2)]
    assert suite.speech.spoken == 3
    assert again.speakers == first.speakers
    assert again.fallback == common_pb2.FALLBACK_TAKEN_UNSPECIFIED


async def test_who_signed_the_file_is_told_beside_it_and_not_in_it(suite: FakeSuite) -> None:
    suite.merger.signed_by, suite.merger.warnings = "A studio", ("the clock is odd",)
    job = await made(suite)
    assert (job.provenance.signed_by, list(job.warnings)) == ("A studio", ["the clock is odd"])
    assert "A studio" not in suite.merger.record


async def test_lists_leave_the_chunks_out(suite: FakeSuite) -> None:
    await made(suite)
    listed = (await suite.stub.ListJobs(pb.ListJobsRequest())).jobs
    assert listed[0].provenance.engine == "viseme"
    assert not listed[0].provenance.chunks


async def test_the_models_of_an_engine_are_named_by_their_content(tmp_path: Path) -> None:
    engine = EngineInfo("viseme", "fake", EngineClass.WINDOWED, "fake-1", 4800, 4800, weights=(MODEL,))
    async with fake_suite(tmp_path) as suite:
        for worker in suite.workers:
            worker.engine = engine
        await suite.restart_gateway()
        record = (await made(suite)).provenance
    assert [(model.name, model.sha256) for model in record.weights] == [(MODEL.name, MODEL.sha256)]
