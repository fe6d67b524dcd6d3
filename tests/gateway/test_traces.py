from __future__ import annotations

import asyncio
import json
import logging
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import pytest
from opentelemetry.trace import StatusCode

from mouthpiece.errors import BadInput, MouthpieceError
from mouthpiece.logs import JsonFormatter
from mouthpiece.rpc import tracing
from mouthpiece.rpc.channel import dial
from mouthpiece.rpc.server import serving
from mouthpiece.settings import (
    CommonSettings,
    GatewaySettings,
    LipSyncSettings,
    MergerSettings,
    TtsSettings,
)
from mouthpiece.v1 import gateway_pb2 as pb
from mouthpiece.v1.gateway_pb2_grpc import VideoServiceStub
from services.gateway.__main__ import program as gateway
from services.lipsync.__main__ import program as lipsync
from services.lipsync.avatar.default import default_avatar
from services.merger.__main__ import program as merger
from services.tts.__main__ import program as tts
from tests.support.gateway_fakes import FakeSuite, fake_suite
from tests.support.lipsync_worker import with_portrait
from tests.support.traces import traced

TEXT = "One. Two. Three."
LIMIT = 120
CALLER = "00-" + "a" * 32 + "-" + "b" * 16 + "-01"
UNSAMPLED = CALLER[:-1] + "0"


async def finished(stub: Any, spec: pb.JobSpec, traceparent: str = "") -> pb.Job:
    """A job that has ended."""
    headers = (("traceparent", traceparent),) if traceparent else None
    job: pb.Job = (await stub.SubmitJob(pb.SubmitJobRequest(spec=spec), metadata=headers)).job
    return await ended(stub, job.id)


async def ended(stub: Any, job: str) -> pb.Job:
    async for _ in stub.WatchJob(pb.WatchJobRequest(job_id=job), timeout=LIMIT):
        pass
    found: pb.Job = (await stub.GetJob(pb.GetJobRequest(job_id=job))).job
    return found


async def at_work(suite: FakeSuite) -> None:
    waits = [asyncio.ensure_future(worker.began.wait()) for worker in suite.workers]
    _, rest = await asyncio.wait(waits, timeout=LIMIT, return_when=asyncio.FIRST_COMPLETED)
    for wait in rest:
        wait.cancel()


async def test_a_job_is_one_trace_through_all_services(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    common = CommonSettings(data=tmp_path)
    with_portrait(tmp_path, default_avatar(tmp_path_factory.getbasetemp().parent / "portrait"))
    with traced() as told:
        async with (
            serving(tts(common, TtsSettings(port=0)), "127.0.0.1", 0, 1) as speech,
            serving(merger(common, MergerSettings(port=0)), "127.0.0.1", 0, 1) as joiner,
            serving(lipsync(common, LipSyncSettings(engines="timed")), "127.0.0.1", 0, 1) as worker,
            serving(
                gateway(
                    common,
                    GatewaySettings(
                        http_port=0, tts=speech.address, merger=joiner.address, workers=worker.address
                    ),
                ),
                "127.0.0.1",
                0,
                1,
            ) as front,
            dial(front.address) as channel,
        ):
            spec = pb.JobSpec(text="One. Two.", engine="timed", width=64, height=64)
            job = await finished(VideoServiceStub(channel), spec)
    assert job.state == pb.JOB_STATE_DONE, job.error
    assert len(told.traces) == 1
    attempts = len(job.chunks)
    assert Counter(told.paths) == {
        "submit": 1,
        "submit > SpeechService/Synthesize": 1,
        "submit > LipSyncService/InspectAvatar": 1,
        "submit > job": 1,
        "submit > job > queue": 1,
        "submit > job > speech": 1,
        "submit > job > speech > SpeechService/Synthesize": 2,  # its outline, then its sentences
        "submit > job > speech > SpeechService/Synthesize > sentence": 2,
        "submit > job > attempt": attempts,
        "submit > job > attempt > LipSyncService/RenderChunk": attempts,
        "submit > job > attempt > LipSyncService/RenderChunk > prepare": attempts,
        "submit > job > attempt > LipSyncService/RenderChunk > render": attempts,
        "submit > job > merge": 1,
        "submit > job > merge > MergerService/Merge": 1,
    }
    (whole,) = told.named("job")
    assert told.said("job", "outcome") == ["done"]
    assert whole.start_time == job.created.ToNanoseconds()
    assert whole.end_time == job.finished.ToNanoseconds()
    assert told.said("job", "frames") == [job.frames]
    assert sum(map(int, map(str, told.said("render", "frames")))) == job.frames


async def test_a_failed_attempt_shows_and_the_next_one_is_linked_to_it(tmp_path: Path) -> None:
    with traced() as told:
        async with fake_suite(tmp_path, workers=2) as suite:
            suite.workers[0].fail = MouthpieceError("the card fell out")
            job = await finished(suite.stub, pb.JobSpec(text=TEXT))
    assert job.state == pb.JOB_STATE_DONE
    attempts = {str((span.attributes or {})["mouthpiece.attempt"]): span for span in told.named("attempt")}
    assert set(attempts) == {chunk.id for chunk in job.chunks}
    for chunk in job.chunks:
        span = attempts[chunk.id]
        said = span.attributes or {}
        assert said["mouthpiece.worker"] == chunk.worker
        failed = chunk.state == pb.CHUNK_STATE_FAILED
        assert (span.status.status_code is StatusCode.ERROR) == failed
    failures = [attempts[chunk.id] for chunk in job.chunks if chunk.state == pb.CHUNK_STATE_FAILED]
    assert failures
    assert all(span.status.description == "the card fell out" for span in failures)
    ids = {span.context.span_id for span in attempts.values() if span.context}
    for span in attempts.values():
        assert {link.context.span_id for link in span.links} <= ids
        assert ((span.attributes or {})["mouthpiece.kind"] == "first") == (not span.links)
    assert any(span.links for span in attempts.values())


async def test_a_restarted_gateway_goes_on_with_the_trace_and_leaves_no_span_without_parent(
    tmp_path: Path,
) -> None:
    with traced() as told:
        async with fake_suite(tmp_path, workers=2) as suite:
            hold = asyncio.Event()
            for worker in suite.workers:
                worker.hold = hold
            job = (await suite.stub.SubmitJob(pb.SubmitJobRequest(spec=pb.JobSpec(text=TEXT)))).job
            await at_work(suite)
            await suite.restart_gateway()
            hold.set()
            job = await ended(suite.stub, job.id)
    assert job.state == pb.JOB_STATE_DONE
    assert len(told.traces) == 1
    assert [path for path in told.paths if "?" in path] == []
    for name in ("submit", "queue", "speech", "job"):
        assert len(told.named(name)) == 1, name
    assert set(told.said("attempt", "outcome")) == {"cancelled", "done"}


async def test_a_caller_who_is_traced_finds_the_job_in_his_trace(tmp_path: Path) -> None:
    with traced() as told:
        async with fake_suite(tmp_path, workers=1) as suite, httpx.AsyncClient() as http:
            await finished(suite.stub, pb.JobSpec(text=TEXT), CALLER)
            body, headers = {"text": TEXT}, {"traceparent": CALLER}
            answer = await http.post(f"{suite.http_url}/api/jobs", json=body, headers=headers)
            await ended(suite.stub, answer.json()["id"])
    assert told.traces == {"a" * 32}
    for call in ("VideoService/SubmitJob", "POST /api/jobs"):
        assert f"? > {call} > submit > job > merge > MergerService/Merge" in told.paths


async def test_what_the_caller_does_not_sample_is_not_told(tmp_path: Path) -> None:
    with traced() as told:
        async with fake_suite(tmp_path, workers=1) as suite:
            job = await finished(suite.stub, pb.JobSpec(text=TEXT), UNSAMPLED)
    assert job.state == pb.JOB_STATE_DONE
    assert told.spans == ()


async def test_a_job_that_is_refused_is_a_trace_with_the_reason(tmp_path: Path) -> None:
    with traced() as told:
        async with fake_suite(tmp_path, workers=1) as suite:
            with pytest.raises(Exception, match="cannot be spoken"):
                await finished(suite.stub, pb.JobSpec(text="unspeakable"))
    (submit,) = told.named("submit")
    assert submit.status.status_code is StatusCode.ERROR
    assert "cannot be spoken" in str(submit.status.description)
    assert told.named("job") == []


def test_log_lines_name_the_span_that_they_belong_to() -> None:
    form = JsonFormatter(tracing.log_fields)
    record = logging.makeLogRecord({"msg": "renders"})
    with traced() as told:
        tracing.JobTrace("j1", json.dumps({"traceparent": CALLER})).write("job", 1, 2)
        with tracing.doing("something"):
            line = json.loads(form.format(record))
        outside = json.loads(form.format(record))
    (span,) = told.named("something")
    assert span.context is not None
    assert (line["trace_id"], line["span_id"]) == (
        f"{span.context.trace_id:032x}",
        f"{span.context.span_id:016x}",
    )
    assert not {"trace_id", "span_id"} & set(outside)


def test_without_tracing_nothing_of_opentelemetry_is_imported() -> None:
    mains = ", ".join(f"services.{name}.__main__" for name in ("gateway", "tts", "merger", "lipsync"))
    code = (
        f"import sys, {mains}; from mouthpiece.rpc import tracing; tracing.metadata(); "
        "tracing.happened('x', 1); print(sorted(name for name in sys.modules if 'opentelemetry' in name))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_an_exporter_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "zipkin")
    with pytest.raises(BadInput, match="zipkin"):
        tracing.switch_on("test")
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "none")
    tracing.switch_on("test")
    tracing.switch_off()
