from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import av
import pytest
import webvtt

from mouthpiece.client import VideoOptions
from mouthpiece.core.timeline import SPEECH_RATE
from mouthpiece.errors import NotFound
from mouthpiece.media.boxes import boxes
from mouthpiece.media.credentials import examine
from mouthpiece.v1 import gateway_pb2 as pb
from tests.support.media_packets import packets
from tests.support.running_suite import RunningSuite

SMALL = VideoOptions(width=128, height=128, quality="low", captions=True)
TEXT = 'It cost $5 in 2024, and nobody knew why. "Yes," she said, because that is what one says on the quay.'


def seconds(clock: str) -> float:
    hours, minutes, rest = clock.split(":")
    return 3600 * int(hours) + 60 * int(minutes) + float(rest)


def test_a_video_comes_with_captions_that_begin_with_their_words(
    running: RunningSuite, tmp_path: Path
) -> None:
    starts: list[float] = []

    def on_event(event: pb.JobEvent) -> None:
        starts.extend(word.samples.first / SPEECH_RATE for word in event.speech.sentence.words)

    out = tmp_path / "out.mp4"
    job = running.client.generate(out, text=TEXT, options=SMALL, on_event=on_event)
    captions = webvtt.read(str(out.with_suffix(".vtt"))).captions
    assert " ".join(caption.text.replace("\n", " ") for caption in captions) == TEXT
    for caption in captions:
        assert min(abs(seconds(caption.start) - start) for start in starts) <= 1 / 25
    with av.open(str(out)) as movie:
        track = movie.streams.subtitles[0]
        shown = [packet for packet in movie.demux(track) if packet.size > 2]
    for packet, caption in zip(shown, captions, strict=True):
        start = float((packet.pts or 0) * packet.time_base)
        assert start == pytest.approx(seconds(caption.start), abs=0.002)
    srt = tmp_path / "again.srt"
    running.client.download(job.id, srt, file="captions_srt")
    assert srt.read_bytes() == out.with_suffix(".srt").read_bytes()


def test_a_video_for_streaming_has_the_same_chunks_and_packets(running: RunningSuite, tmp_path: Path) -> None:
    one, other = tmp_path / "regular.mp4", tmp_path / "streamed.mp4"
    running.client.generate(one, text=TEXT, options=SMALL)
    job = running.client.generate(other, text=TEXT, options=replace(SMALL, optimize_streaming=True))
    assert job.result.statistics.cached_frames == job.result.frames
    assert packets(other.read_bytes()) == packets(one.read_bytes())
    with other.open("rb") as movie:
        kinds = [box.kind for box in boxes(movie)]
    assert kinds[:5] == [b"ftyp", b"moov", b"sidx", b"moof", b"mdat"]
    assert examine(other).record["job_id"] == job.id


def test_a_job_without_captions_says_so(running: RunningSuite, tmp_path: Path) -> None:
    options = VideoOptions(width=128, height=128, quality="low")
    job = running.client.generate(tmp_path / "out.mp4", text="Nothing to read.", options=options)
    assert not (tmp_path / "out.vtt").exists()
    with pytest.raises(NotFound, match="no captions"):
        running.client.download(job.id, tmp_path / "out.vtt", file="captions_vtt")
