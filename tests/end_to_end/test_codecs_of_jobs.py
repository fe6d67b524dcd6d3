"""Jobs in other codecs than H.264, from the option to the file."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from mouthpiece.choices import CodecName
from mouthpiece.client import VideoOptions
from mouthpiece.errors import BadInput
from mouthpiece.media.probe import decode_frames, frame_times, read_movie
from tests.support.running_suite import RunningSuite

TEXT = "One sentence. And another one, for a second chunk."


@pytest.mark.parametrize(("codec", "encoder"), [("hevc", "libx265"), ("av1", "libsvtav1")])
def test_a_job_is_rendered_in_the_codec_that_it_asks_for(
    running: RunningSuite, tmp_path: Path, codec: CodecName, encoder: str
) -> None:
    out = tmp_path / "out.mp4"
    options = VideoOptions(width=128, height=128, quality="low", codec=codec, mode="chunked", chunk_seconds=1)
    job = running.client.generate(out, text=TEXT, options=options)
    assert job.encoder == job.provenance.encoder == encoder
    assert job.result.statistics.chunks >= 2
    movie = read_movie(out)
    assert movie.video
    assert movie.video.codec == codec
    assert frame_times(out) == [Fraction(index, 25) for index in range(job.result.frames)]
    assert len(list(decode_frames(out))) == job.result.frames


def test_lossless_pictures_in_another_codec_are_refused_before_any_work(
    running: RunningSuite, tmp_path: Path
) -> None:
    with pytest.raises(BadInput, match="does not have quality lossless") as caught:
        running.client.generate(
            tmp_path / "out.mp4", text=TEXT, options=VideoOptions(quality="lossless", codec="av1")
        )
    assert caught.value.violations[0].field == "spec.codec"
