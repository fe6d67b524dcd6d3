"""HEVC and AV1: chunks stand in one track as those of H.264 do."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from mouthpiece.core.timeline import Span
from mouthpiece.errors import BadInput
from mouthpiece.media.encode import ChunkEncoder
from mouthpiece.media.merge import MergeFormat, Merger
from mouthpiece.media.poster import make_poster
from mouthpiece.media.probe import decode_frames, frame_times, read_chunk
from mouthpiece.media.quality import Codec, Encoder, Quality, encoder_options, fits
from tests.support.media_chunks import PAL, pictures, samples_for, spans, tone
from tests.support.media_packets import packets

WIDTH, HEIGHT = 128, 96
FORM = MergeFormat(PAL, WIDTH, HEIGHT)
CUTS = (0, 12, 13, 40, 52, 60)
TAGS = {Codec.HEVC: "hvc1", Codec.AV1: "av01"}

codecs = pytest.mark.parametrize("codec", TAGS)


def chunk(folder: Path, codec: Codec, frames: Span, *, keyframes: frozenset[int] = frozenset()) -> Path:
    path = folder / f"{codec}-{frames.first}-{frames.end}"
    with ChunkEncoder(path, PAL, WIDTH, HEIGHT, encoder=codec.software, keyframes=keyframes) as encoder:
        for frame in pictures(frames, WIDTH, HEIGHT):
            encoder.write(frame)
        return encoder.finish().path


def merged(folder: Path, chunks: dict[Span, Path], *, fragmented: bool = False) -> tuple[Path, bytes]:
    """A movie of chunks, and the live segments of it."""
    output, frames = folder / f"{fragmented}.mp4", max(span.end for span in chunks)
    pcm = tone(samples_for(frames, PAL))
    with Merger(output, FORM, fragmented=fragmented) as merger:
        for span, path in chunks.items():
            merger.add_chunk(span, path)
        merger.add_speech(Span(0, len(pcm)), pcm.tobytes())
        merger.finish(frames, len(pcm))
        return output, merger.init + b"".join(part.path.read_bytes() for part in merger.take_segments())


@codecs
def test_chunks_are_joined_without_a_seam(tmp_path: Path, codec: Codec) -> None:
    chunks = {span: chunk(tmp_path, codec, span) for span in spans(CUTS)}
    assert len({read_chunk(path).configuration for path in chunks.values()}) == 1
    movie, live = merged(tmp_path, chunks)
    streamed, _ = merged(tmp_path, chunks, fragmented=True)
    copied = [frame for path in chunks.values() for frame in decode_frames(path)]
    assert all(map(np.array_equal, decode_frames(movie), copied))
    assert frame_times(movie) == [Fraction(index, 25) for index in range(60)]
    assert packets(live) == packets(streamed.read_bytes()) == packets(movie.read_bytes())
    for path in (*chunks.values(), movie, streamed):
        with av.open(str(path)) as container:
            assert container.streams.video[0].codec_context.codec_tag == TAGS[codec]
    assert make_poster(streamed, "remark")


@codecs
def test_one_chunk_shows_what_several_do(tmp_path: Path, codec: Codec) -> None:
    several = [frame for span in spans(CUTS) for frame in decode_frames(chunk(tmp_path, codec, span))]
    one = list(decode_frames(chunk(tmp_path, codec, Span(0, 60))))
    assert len(one) == len(several)
    for index, frame in enumerate(pictures(range(60), WIDTH, HEIGHT)):
        for shown in (one[index], several[index]):
            assert np.abs(shown.astype(int) - frame).mean() < 3


@codecs
def test_the_same_frames_give_the_same_bytes(tmp_path: Path, codec: Codec) -> None:
    first = chunk(tmp_path, codec, Span(0, 40)).read_bytes()
    assert chunk(tmp_path, codec, Span(0, 40)).read_bytes() == first


@codecs
def test_decoding_can_begin_at_every_keyframe_and_at_those_asked_for(tmp_path: Path, codec: Codec) -> None:
    path = chunk(tmp_path, codec, Span(0, 40), keyframes=frozenset({7}))
    whole = list(decode_frames(path))
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        parts = [packet for packet in container.demux(stream) if packet.size]
        starts = [place for place, packet in enumerate(parts) if packet.is_keyframe]
        assert 7 in starts
        for start in starts:
            decoder = av.CodecContext.create(stream.codec_context.codec.name, "r")
            assert isinstance(decoder, av.VideoCodecContext)
            decoder.extradata = stream.codec_context.extradata
            shown = [frame for part in parts[start:] for frame in decoder.decode(part)] + decoder.decode(None)
            assert len(shown) == 40 - start
            for frame, expected in zip(shown, whole[start:], strict=True):
                assert np.array_equal(frame.to_ndarray(), expected)


def test_chunks_of_two_codecs_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="decoder configuration differs"):
        merged(
            tmp_path,
            {
                Span(0, 5): chunk(tmp_path, Codec.HEVC, Span(0, 5)),
                Span(5, 9): chunk(tmp_path, Codec.H264, Span(5, 9)),
            },
        )


@codecs
def test_a_fade_is_written_in_the_codec_of_its_chunks(tmp_path: Path, codec: Codec) -> None:
    one = chunk(tmp_path, codec, Span(0, 30), keyframes=frozenset({25}))
    other = chunk(tmp_path, codec, Span(25, 60), keyframes=frozenset({5}))
    output, pcm = tmp_path / "movie.mp4", bytes(2 * samples_for(60, PAL))
    with Merger(output, FORM, fading=Quality.MEDIUM) as merger:
        merger.add_chunk(Span(0, 30), one)
        merger.add_chunk(Span(30, 60), other, skip=5, fade=5)
        merger.add_speech(Span(0, len(pcm) // 2), pcm)
        merger.finish(60, len(pcm) // 2)
    assert len(list(decode_frames(output))) == 60


def test_lossless_is_h264_alone() -> None:
    for codec in Codec:
        assert codec.software.codec is codec.hardware.codec is codec
        assert fits(codec.software, Quality.LOSSLESS, 640, 480) == (codec is Codec.H264)
    with pytest.raises(ValueError, match="does not have quality lossless"):
        encoder_options(Encoder.SVT_AV1, Quality.LOSSLESS, PAL)


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="threads are listed on Linux only")
@codecs
def test_no_encoder_keeps_the_machine_from_others(tmp_path: Path, codec: Codec) -> None:
    with ChunkEncoder(tmp_path / "chunk", PAL, WIDTH, HEIGHT, encoder=codec.software) as encoder:
        encoder.write(next(iter(pictures(range(1), WIDTH, HEIGHT))))
        tasks = [int(task.name) for task in Path("/proc/self/task").iterdir()]
        assert {os.sched_getscheduler(task) for task in tasks} == {os.SCHED_OTHER}
