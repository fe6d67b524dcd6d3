"""What an operator may ask of every job: consent to the use of voices and faces, and a label."""

from __future__ import annotations

from pathlib import Path

import grpc.aio
import pytest

from mouthpiece.choices import ConsentName
from mouthpiece.errors import BadInput
from mouthpiece.rpc.status import from_rpc_error
from mouthpiece.settings import GatewaySettings
from mouthpiece.v1 import gateway_pb2 as pb
from mouthpiece.v1.common_pb2 import CORNER_TOP_LEFT, Label, VideoFormat
from services.gateway.house import MAX_CONSENT, HouseRules, check_marks
from tests.support.gateway_fakes import FakeSuite, fake_suite

HASH = "a" * 64
PLAIN: dict[str, str] = {}
VOICE = {"voice_reference_sha256": HASH}
FACE = {"avatar_sha256": HASH}
RECORDING = {"audio_sha256": HASH}


@pytest.mark.parametrize(
    ("consent", "given", "needed"),
    [
        ("off", {**VOICE, **FACE}, False),
        ("voice", PLAIN, False),
        ("voice", RECORDING, False),
        ("voice", FACE, False),
        ("voice", VOICE, True),
        ("voice", {**VOICE, **FACE}, True),
        ("face", PLAIN, False),
        ("face", VOICE, True),
        ("face", FACE, True),
    ],
)
def test_consent_is_asked_for_what_the_rules_say(
    consent: ConsentName, given: dict[str, str], needed: bool
) -> None:
    rules = HouseRules(consent)
    rules.check(pb.JobSpec(text="Hi.", consent_reference="contract 7", **given))  # type: ignore[arg-type]
    for reference in ("", " "):
        spec = pb.JobSpec(text="Hi.", consent_reference=reference, **given)  # type: ignore[arg-type]
        if not needed:
            rules.check(spec)
            continue
        with pytest.raises(BadInput) as caught:
            rules.check(spec)
        assert [violation.field for violation in caught.value.violations] == ["spec.consent_reference"]


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        (pb.JobSpec(consent_reference="x" * (MAX_CONSENT + 1)), "spec.consent_reference"),
        (pb.JobSpec(consent_reference="two\nlines"), "spec.consent_reference"),
        (pb.JobSpec(label=Label()), "spec.label.text"),
        (pb.JobSpec(label=Label(text="x" * 65)), "spec.label.text"),
        (pb.JobSpec(label=Label(text="two\nlines")), "spec.label.text"),
        (pb.JobSpec(label=Label(text="AI", opacity=1.5)), "spec.label.opacity"),
        (pb.JobSpec(label=Label(text="AI", opacity=float("nan"))), "spec.label.opacity"),
        (pb.JobSpec(label=Label(text="AI", corner=9)), "spec.label.corner"),  # type: ignore[arg-type]
    ],
)
def test_what_is_wrong_in_itself_is_named(spec: pb.JobSpec, field: str) -> None:
    assert [violation.field for violation in check_marks(spec)] == [field]


def test_the_longest_reference_and_label_are_good() -> None:
    spec = pb.JobSpec(consent_reference="я" * MAX_CONSENT, label=Label(text="x" * 64, opacity=1))
    assert check_marks(spec) == []


def test_the_label_of_the_house_takes_the_place_of_the_job_s() -> None:
    own, house = Label(text="Mine"), Label(text="AI", corner=CORNER_TOP_LEFT, opacity=0.5)
    form = VideoFormat(width=640, height=360)
    spec = pb.JobSpec(label=own)
    assert HouseRules().fitting_label(spec, form) == own
    assert HouseRules().fitting_label(pb.JobSpec(), form) is None
    settings = GatewaySettings(label="AI", label_corner="top-left", label_opacity=0.5)
    assert HouseRules.of(settings).fitting_label(spec, form) == house


def test_a_label_that_cannot_be_read_at_the_size_of_the_video_is_refused() -> None:
    narrow = VideoFormat(width=64, height=64)
    for text in ("AI generated, and more", "人工智能生成的"):
        with pytest.raises(BadInput, match="cannot be read on 64 pixels"):
            HouseRules().fitting_label(pb.JobSpec(label=Label(text=text)), narrow)
    assert HouseRules().fitting_label(pb.JobSpec(label=Label(text="AI")), narrow)


def test_a_label_in_the_settings_that_cannot_be_is_named() -> None:
    with pytest.raises(BadInput, match="MOUTHPIECE_GATEWAY_LABEL: is not 1 to 64"):
        HouseRules.of(GatewaySettings(label="x" * 65))


async def upload(suite: FakeSuite, content: bytes) -> str:
    artifact = await suite.artifacts.put_bytes(content)
    return artifact.sha256


async def test_a_job_without_consent_is_refused_before_anybody_works(tmp_path: Path) -> None:
    async with fake_suite(tmp_path, require_consent="voice") as suite:
        spec = pb.JobSpec(text="Hi.", voice_reference_sha256=await upload(suite, b"a voice"))
        for call in (
            suite.stub.SubmitJob(pb.SubmitJobRequest(spec=spec)),
            suite.stub.PlanJob(pb.PlanJobRequest(spec=spec)),
        ):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await call
            error = from_rpc_error(caught.value)
            assert isinstance(error, BadInput)
            assert error.violations[0].field == "spec.consent_reference"
        assert suite.speech.calls == 0


async def test_the_label_is_settled_when_a_job_is_accepted(tmp_path: Path) -> None:
    async with fake_suite(tmp_path, label="AI generated") as suite:
        spec = pb.JobSpec(text="Hi.", label=Label(text="Mine"))
        job = (await suite.stub.SubmitJob(pb.SubmitJobRequest(spec=spec))).job
        assert job.provenance.label.text == "AI generated"
        assert job.spec.label.text == "Mine"
        async for _ in suite.stub.WatchJob(pb.WatchJobRequest(job_id=job.id), timeout=20):
            pass
        assert {label for worker in suite.workers for label in worker.labels} == {"AI generated"}


async def test_another_label_is_another_picture(tmp_path: Path) -> None:
    async with fake_suite(tmp_path) as suite:
        for label in ("", "AI", "AI", "KI"):
            spec = pb.JobSpec(text="Hi.", label=Label(text=label) if label else None)
            job = (await suite.stub.SubmitJob(pb.SubmitJobRequest(spec=spec))).job
            async for _ in suite.stub.WatchJob(pb.WatchJobRequest(job_id=job.id), timeout=20):
                pass
        rendered = [span for worker in suite.workers for span in worker.rendered]
        assert sum(map(len, rendered)) == 3 * job.frames
