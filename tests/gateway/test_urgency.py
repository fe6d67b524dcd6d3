from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mouthpiece.client import VideoOptions, parse_deadline
from mouthpiece.errors import BadInput, Busy
from mouthpiece.v1 import gateway_pb2 as pb
from services.gateway.admission import URGENT_SECONDS, head_start
from tests.gateway.test_gateway_jobs import LIMIT, finish, first_busy, hold_all, refusal, submit
from tests.support.gateway_fakes import FakeSuite, fake_suite

NOW = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)


@pytest.fixture
async def suite(tmp_path: Path) -> AsyncGenerator[FakeSuite]:
    async with fake_suite(tmp_path, workers=1) as running:
        yield running


def due_in(seconds: float) -> pb.JobSpec:
    spec = pb.JobSpec(text="Soon.")
    spec.deadline.FromNanoseconds(round((time.time() + seconds) * 1e9))
    return spec


async def spoken(suite: FakeSuite, jobs: list[pb.Job]) -> None:
    """Wait until the jobs need only be rendered."""
    for job in jobs:
        call = suite.stub.WatchJob(pb.WatchJobRequest(job_id=job.id), timeout=LIMIT)
        async for message in call:
            if message.event.state.state == pb.JOB_STATE_RENDERING:
                break
        call.cancel()


async def ends(suite: FakeSuite, jobs: list[pb.Job]) -> list[str]:
    """Ids of jobs in the order in which they end."""
    done = await asyncio.gather(*(finish(suite, job) for job in jobs))
    return [job.id for job in sorted(done, key=lambda job: job.finished.ToNanoseconds())]


async def test_a_job_with_priority_overtakes_those_that_wait(suite: FakeSuite) -> None:
    hold = hold_all(suite)
    await submit(suite, "First.")
    await first_busy(suite)
    patient = await submit(suite, "Patient.", priority=-600)
    plain = await submit(suite, "Plain.")
    urgent = await submit(suite, "Urgent.", priority=600)
    await spoken(suite, [patient, plain, urgent])
    hold.set()
    assert await ends(suite, [patient, plain, urgent]) == [urgent.id, plain.id, patient.id]


async def test_of_jobs_with_deadlines_the_one_that_is_due_first_goes_first(suite: FakeSuite) -> None:
    hold = hold_all(suite)
    await submit(suite, "First.")
    await first_busy(suite)
    plain = await submit(suite, "Plain.")
    specs = [due_in(1800), due_in(600)]
    later, sooner = [(await suite.stub.SubmitJob(pb.SubmitJobRequest(spec=spec))).job for spec in specs]
    await spoken(suite, [plain, later, sooner])
    hold.set()
    assert await ends(suite, [plain, later, sooner]) == [sooner.id, later.id, plain.id]


async def test_a_job_that_will_be_late_is_accepted_and_says_so(suite: FakeSuite) -> None:
    spec = due_in(0.3)
    spec.text = "A sentence. " * 200
    job = (await suite.stub.SubmitJob(pb.SubmitJobRequest(spec=spec))).job
    assert any("after its deadline" in warning for warning in job.warnings)


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        (pb.JobSpec(text="a.", priority=90_000), "spec.priority"),
        (pb.JobSpec(text="a.", priority=float("nan")), "spec.priority"),
        (due_in(-1), "spec.deadline"),
    ],
)
async def test_what_cannot_be_urgent_is_refused(suite: FakeSuite, spec: pb.JobSpec, field: str) -> None:
    error = await refusal(suite.stub.SubmitJob(pb.SubmitJobRequest(spec=spec)))
    assert isinstance(error, BadInput)
    assert error.violations[0].field == field


async def test_a_full_queue_says_when_to_come_back(tmp_path: Path) -> None:
    async with fake_suite(tmp_path, workers=1, max_jobs=2) as suite:
        hold_all(suite)
        for number in range(2):
            await submit(suite, f"Job {number}.")
        error = await refusal(submit(suite, "One too many."))
    assert isinstance(error, Busy)
    assert error.retry_after >= 1


def test_a_deadline_is_worth_the_hour_before_it() -> None:
    created = 1_000_000.0
    spec = pb.JobSpec(priority=5)
    assert head_start(spec, created) == 5
    spec.deadline.FromSeconds(round(created + URGENT_SECONDS - 60))
    assert head_start(spec, created) == 65
    spec.deadline.FromSeconds(round(created + 2 * URGENT_SECONDS))
    assert head_start(spec, created) == 5


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("20m", NOW + timedelta(minutes=20)),
        ("1.5h", NOW + timedelta(minutes=90)),
        ("2026-01-31T18:00", NOW.replace(hour=18)),
        ("2026-01-31T18:00+02:00", NOW.replace(hour=16)),
    ],
)
def test_deadlines_are_read_as_people_write_them(text: str, moment: datetime) -> None:
    assert parse_deadline(text, NOW) == moment


def test_options_with_a_deadline_need_to_know_the_zone() -> None:
    assert VideoOptions(deadline=NOW).spec(text="a").deadline.ToDatetime(tzinfo=UTC) == NOW
    with pytest.raises(BadInput):
        VideoOptions(deadline=NOW.replace(tzinfo=None))
    with pytest.raises(BadInput):
        parse_deadline("soon", NOW)
