"""One encoder per job, whatever hardware the workers have."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import pytest
from av.error import FFmpegError
from av.error import PermissionError as Forbidden
from google.protobuf.duration_pb2 import Duration

from mouthpiece.core.engines import EngineClass, EngineInfo
from mouthpiece.errors import BadInput, Reason, Unmet
from mouthpiece.media.encode import working_encoders
from mouthpiece.media.quality import PRESETS, Codec, Encoder, Quality, encoder_options, fits
from mouthpiece.v1 import common_pb2, lipsync_pb2
from mouthpiece.v1 import gateway_pb2 as pb
from services.gateway.admission import choose_encoder
from services.lipsync.wire import order_from_proto
from tests.gateway.test_gateway_jobs import FRAMES, finish, submit
from tests.support.gateway_fakes import fake_suite, frame_lines
from tests.support.lipsync_worker import chunk_request

BOTH, ONE = frozenset({"h264_nvenc", "libx264"}), frozenset({"libx264"})
FORM = common_pb2.VideoFormat(width=640, height=480)
ALL = frozenset(Encoder)
SOFTWARE = frozenset(codec.software for codec in Codec)
HEVC = pb.JobSpec(codec=common_pb2.VIDEO_CODEC_HEVC)
FADED = pb.JobSpec(crossfade=Duration(nanos=200_000_000))


@pytest.mark.parametrize(
    ("spec", "form", "offered", "chosen"),
    [
        (pb.JobSpec(), FORM, [BOTH, BOTH], Encoder.NVENC),
        (pb.JobSpec(), FORM, [BOTH, ONE], Encoder.X264),
        (pb.JobSpec(), FORM, [BOTH, frozenset()], Encoder.X264),
        (pb.JobSpec(), FORM, [], Encoder.X264),
        (pb.JobSpec(quality=common_pb2.QUALITY_LOSSLESS), FORM, [BOTH], Encoder.X264),
        (pb.JobSpec(), common_pb2.VideoFormat(width=128, height=480), [BOTH], Encoder.X264),
        (FADED, FORM, [BOTH], Encoder.X264),
        (HEVC, FORM, [ALL, ALL], Encoder.HEVC_NVENC),
        (HEVC, FORM, [ALL, SOFTWARE], Encoder.X265),
        (HEVC, FORM, [SOFTWARE, ONE], Encoder.X265),
        (pb.JobSpec(codec=common_pb2.VIDEO_CODEC_AV1), FORM, [ALL], Encoder.AV1_NVENC),
        (pb.JobSpec(codec=common_pb2.VIDEO_CODEC_AV1), FORM, [SOFTWARE], Encoder.SVT_AV1),
    ],
)
def test_nvenc_is_taken_only_where_every_frame_can_be_made_with_it(
    spec: pb.JobSpec, form: common_pb2.VideoFormat, offered: list[frozenset[str]], chosen: Encoder
) -> None:
    assert choose_encoder(spec, form, offered) is chosen


def test_a_codec_that_nobody_can_write_is_refused() -> None:
    with pytest.raises(Unmet, match="no worker that has the engine can write hevc") as caught:
        choose_encoder(HEVC, FORM, [BOTH, ONE])
    assert caught.value.reason is Reason.ENCODER_MISSING
    lossless = pb.JobSpec(codec=common_pb2.VIDEO_CODEC_AV1, quality=common_pb2.QUALITY_LOSSLESS)
    with pytest.raises(BadInput, match="av1 does not have quality lossless: only h264 has") as wrong:
        choose_encoder(lossless, FORM, [ALL])
    assert wrong.value.violations[0].field == "spec.codec"


@pytest.mark.parametrize(
    ("first", "second", "pinned"), [(BOTH, BOTH, "h264_nvenc"), (BOTH, ONE, "libx264"), (ONE, ONE, "libx264")]
)
async def test_all_chunks_of_a_job_ask_for_the_same_encoder(
    tmp_path: Path, first: frozenset[str], second: frozenset[str], pinned: str
) -> None:
    async with fake_suite(tmp_path) as suite:
        for worker, encoders in zip(suite.workers, (first, second), strict=True):
            worker.encoders = tuple(sorted(encoders))
        await suite.restart_gateway()
        job = await finish(suite, await submit(suite))
        assert job.state == pb.JOB_STATE_DONE, job.error
        assert await suite.video(job.id) == frame_lines(FRAMES)
        assert job.encoder == pinned
        assert set().union(*(worker.encoded_with for worker in suite.workers)) == {pinned}


async def test_chunks_of_one_encoder_are_not_reused_beside_those_of_another(tmp_path: Path) -> None:
    async with fake_suite(tmp_path) as suite:
        await finish(suite, await submit(suite, seed=7))
        before = sum(len(span) for worker in suite.workers for span in worker.rendered)
        for worker in suite.workers:
            worker.encoders, worker.codec = tuple(sorted(BOTH)), "d" * 64
        await suite.restart_gateway()
        job = await finish(suite, await submit(suite, seed=7))
        assert job.state == pb.JOB_STATE_DONE, job.error
        assert sum(len(span) for worker in suite.workers for span in worker.rendered) == before + FRAMES


def test_a_worker_without_the_encoder_says_so() -> None:
    request = chunk_request("timed", 0, 3)
    request.encoder = "h264_nvenc"
    engine = EngineInfo("timed", "", EngineClass.WINDOWED, "timed-1", 0, 0)
    with pytest.raises(Unmet, match="h264_nvenc does not work") as caught:
        order_from_proto(request, engine, (Encoder.X264,))
    assert caught.value.reason is Reason.ENCODER_MISSING
    assert order_from_proto(chunk_request("timed", 0, 3), engine, (Encoder.X264,)).encoder is Encoder.X264


def test_the_encoder_that_needs_no_hardware_works_everywhere() -> None:
    assert {codec.software for codec in Codec} <= set(working_encoders())
    assert isinstance(lipsync_pb2.Worker(encoders=working_encoders()).encoders[0], str)


@pytest.mark.skipif(Encoder.NVENC in working_encoders(), reason="there is hardware, which is asked instead")
@pytest.mark.parametrize("encoder", [codec.hardware for codec in Codec])
@pytest.mark.parametrize("quality", [quality for quality in Quality if PRESETS[quality].nvenc])
def test_nvenc_accepts_the_values_of_every_quality(quality: Quality, encoder: Encoder) -> None:
    """Values are checked before the driver is looked for, so that only its lack may be complained of."""

    def open_with(**changed: str) -> None:
        context = av.CodecContext.create(encoder.value, "w")
        assert isinstance(context, av.VideoCodecContext)
        context.width, context.height, context.pix_fmt = 320, 240, "yuv420p"
        context.time_base, context.framerate = Fraction(1, 25), Fraction(25)
        context.options = encoder_options(encoder, quality, Fraction(25)) | changed
        context.open()

    with pytest.raises(Forbidden):
        open_with()
    with pytest.raises(FFmpegError) as caught:
        open_with(preset="p99")
    assert not isinstance(caught.value, Forbidden)


def test_better_qualities_ask_more_of_either_encoder() -> None:
    lossy = [PRESETS[quality] for quality in Quality if PRESETS[quality].nvenc]
    assert [preset.crf for preset in lossy] == sorted((p.crf for p in lossy if p.crf), reverse=True)
    steps = [preset.nvenc.cq for preset in lossy if preset.nvenc]
    assert steps == sorted(steps, reverse=True)
    assert not fits(Encoder.NVENC, Quality.LOSSLESS, 640, 480)
    with pytest.raises(ValueError, match="does not have"):
        encoder_options(Encoder.NVENC, Quality.LOSSLESS, Fraction(25))
