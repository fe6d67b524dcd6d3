"""Merging: every frame and sample once, at its time, however the job was cut."""

from __future__ import annotations

import json
import resource
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mouthpiece.core.timeline import Span
from mouthpiece.errors import BadInput
from mouthpiece.media.encode import ChunkEncoder
from mouthpiece.media.merge import SYNTHETIC_MARK, MergeFormat, Merger
from mouthpiece.media.probe import (
    AudioTrack,
    VideoTrack,
    decode_audio,
    decode_frames,
    frame_times,
    index_comes_first,
    read_movie,
)
from mouthpiece.media.quality import Quality
from mouthpiece.media.tags import PROVENANCE
from tests.support.media_chunks import FILM, NTSC, PAL, babble, encode, pictures, samples_for, spans, tone
from tests.support.media_measure import lag_of, phase_steps

FORM = MergeFormat(PAL, 64, 48)


def add_speech(merger: Merger, pcm: np.ndarray, cuts: Sequence[int]) -> None:
    for span in spans(cuts):
        merger.add_speech(span, pcm[span.first : span.end].tobytes())


def merge(
    output: Path,
    chunks: Sequence[Path],
    cuts: Sequence[int],
    pcm: np.ndarray,
    fps: Fraction = PAL,
) -> Path:
    """A movie of `chunks` at `cuts` and of speech in one piece."""
    with Merger(output, MergeFormat(fps, 64, 48)) as merger:
        merger.add_speech(Span(0, len(pcm)), pcm.tobytes())
        for span, chunk in zip(spans(cuts), chunks, strict=True):
            merger.add_chunk(span, chunk)
        merger.finish(cuts[-1], len(pcm))
    return output


def tracks(path: Path) -> tuple[VideoTrack, AudioTrack]:
    movie = read_movie(path)
    assert movie.video
    assert movie.audio
    return movie.video, movie.audio


@contextmanager
def refused(field: str, text: str) -> Generator[None]:
    with pytest.raises(BadInput, match=text) as caught:
        yield
    assert caught.value.violations[0].field == field


cut_lists = st.sets(st.integers(1, 79), max_size=9).map(lambda inner: [0, *sorted(inner), 80])


@settings(max_examples=12, deadline=None)
@given(cuts=cut_lists, fps=st.sampled_from((PAL, NTSC, FILM, Fraction(24))), quality=st.sampled_from(Quality))
def test_a_job_cut_anywhere_has_every_frame_once_at_its_time(
    cuts: list[int], fps: Fraction, quality: Quality
) -> None:
    with TemporaryDirectory() as name:
        folder = Path(name)
        chunks = [encode(folder / f"{span.first}", span, fps, quality=quality) for span in spans(cuts)]
        movie = merge(folder / "movie.mp4", chunks, cuts, tone(samples_for(80, fps)), fps)
        assert frame_times(movie) == [index / fps for index in range(80)]
        video, audio = tracks(movie)
        assert (video.fps, video.frames, video.start) == (fps, 80, Fraction(0))
        assert abs(video.duration - audio.duration) <= 1 / fps
        copied = [frame for chunk in chunks for frame in decode_frames(chunk)]
        assert all(map(np.array_equal, decode_frames(movie), copied))
        if quality is Quality.LOSSLESS:
            assert all(map(np.array_equal, copied, pictures(range(80))))


def test_chunks_of_one_frame_are_joined_too(tmp_path: Path) -> None:
    chunks = [encode(tmp_path / f"{index}", [index], quality=Quality.MEDIUM) for index in range(6)]
    movie = merge(tmp_path / "movie.mp4", chunks, range(7), tone(samples_for(6, PAL)))
    assert len(list(decode_frames(movie))) == 6
    assert frame_times(movie) == [Fraction(index, 25) for index in range(6)]


@settings(max_examples=20, deadline=None)
@given(
    order=st.permutations(
        [("chunk", index) for index in range(4)] + [("speech", index) for index in range(5)]
    ),
)
def test_the_movie_is_the_same_however_chunks_and_speech_interleave(order: list[tuple[str, int]]) -> None:
    pcm = babble(samples_for(40, PAL))
    parts = {
        "chunk": iter(spans([0, 1, 12, 13, 40])),
        "speech": iter(spans([0, 7, 30000, 31000, 60000, len(pcm)])),
    }
    with TemporaryDirectory() as name:
        folder = Path(name)
        chunks = {span: encode(folder / f"{span.first}", span) for span in spans([0, 1, 12, 13, 40])}
        expected = merge(folder / "one.mp4", list(chunks.values()), [0, 1, 12, 13, 40], pcm)
        with Merger(folder / "two.mp4", FORM) as merger:
            for kind, _ in order:
                span = next(parts[kind])
                if kind == "chunk":
                    merger.add_chunk(span, chunks[span])
                else:
                    merger.add_speech(span, pcm[span.first : span.end].tobytes())
            merger.finish(40, len(pcm))
        assert (folder / "two.mp4").read_bytes() == expected.read_bytes()


@pytest.fixture(scope="module")
def long_movie(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A minute of tone at 29.97 frames/s in ten chunks; all of the speech arrives before the first chunk."""
    folder = tmp_path_factory.mktemp("long")
    cuts = [0, 300, 301, 500, 800, 900, 1200, 1300, 1500, 1700, 1800]
    chunks = [encode(folder / f"{s.first}", s, NTSC, quality=Quality.MEDIUM) for s in spans(cuts)]
    return merge(folder / "movie.mp4", chunks, cuts, tone(samples_for(1800, NTSC)), NTSC)


def test_picture_and_sound_end_together_without_drift(long_movie: Path) -> None:
    video, audio = tracks(long_movie)
    assert video.duration == 1800 / NTSC
    assert audio.duration == Fraction(samples_for(1800, NTSC), 48000)


def test_the_index_stands_in_front(long_movie: Path) -> None:
    assert index_comes_first(long_movie)


def test_sound_and_pictures_of_the_same_moment_lie_close_together(long_movie: Path) -> None:
    with av.open(str(long_movie)) as container:
        packets = sorted(
            (packet.pos or 0, float((packet.dts or 0) * packet.time_base), packet.stream.type)
            for packet in container.demux()
            if packet.size
        )
    assert {kind for _, _, kind in packets} == {"audio", "video"}
    assert max(abs(after[1] - before[1]) for before, after in pairwise(packets)) < 1.0


def test_a_tone_has_no_phase_break(long_movie: Path) -> None:
    sound = decode_audio(long_movie)[0]
    assert sound.size == samples_for(1800, NTSC)
    assert float(phase_steps(sound, 440.0).max()) < 0.02


def test_sound_begins_and_ends_where_the_speech_does(tmp_path: Path) -> None:
    pcm = babble(samples_for(50, PAL) - 777)
    movie = merge(tmp_path / "movie.mp4", [encode(tmp_path / "a", range(50))], [0, 50], pcm)
    sound = decode_audio(movie)[0]
    assert sound.size == pcm.size
    assert lag_of(sound, pcm / 32768, 2000) == 0
    for part in (slice(0, 2000), slice(-2000, None)):
        wanted = pcm[part] / 32768
        assert float(np.sum((sound[part] - wanted) ** 2)) < 0.02 * float(np.sum(wanted**2))


def test_colour_size_and_language_are_declared(tmp_path: Path) -> None:
    chunk = encode(tmp_path / "a", range(25))
    with Merger(tmp_path / "movie.mp4", FORM, language="ru-RU") as merger:
        merger.add_speech(Span(0, 48000), bytes(96000))
        merger.add_chunk(Span(0, 25), chunk)
        merger.finish(25, 48000)
    video, audio = tracks(tmp_path / "movie.mp4")
    assert (video.codec, video.width, video.height, video.pixel_format) == ("h264", 64, 48, "yuv420p")
    assert (video.color, video.limited_range) == ((1, 1, 1), True)
    assert (audio.codec, audio.sample_rate, audio.channels, audio.language) == ("aac", 48000, 1, "rus")


def test_the_file_says_that_it_is_synthetic_and_what_made_it(tmp_path: Path) -> None:
    document = {"chunks": ["0" * 64] * 400, "voice": "голос ✓"}
    chunk = encode(tmp_path / "a", range(25))
    with Merger(tmp_path / "movie.mp4", FORM, title="Déjà vu 話") as merger:
        merger.add_speech(Span(0, 48000), bytes(96000))
        merger.add_chunk(Span(0, 25), chunk)
        merger.finish(25, 48000, json.dumps(document, ensure_ascii=False))
    metadata = read_movie(tmp_path / "movie.mp4").metadata
    assert metadata["comment"] == SYNTHETIC_MARK
    assert metadata["title"] == "Déjà vu 話"
    assert json.loads(metadata[PROVENANCE]) == document


def test_progress_follows_what_can_be_heard_and_seen(tmp_path: Path) -> None:
    chunk = encode(tmp_path / "a", range(25))
    with Merger(tmp_path / "movie.mp4", FORM) as merger:
        merger.add_chunk(Span(0, 25), chunk)
        assert (merger.frames_written, merger.samples_written) == (0, 0)
        merger.add_speech(Span(0, 47999), bytes(95998))
        assert merger.frames_written == 0
        merger.add_speech(Span(47999, 96000), bytes(96002))
        assert merger.frames_written == 25
        assert 0 < merger.samples_written <= 48000
        merger.add_chunk(Span(25, 50), chunk)
        merger.finish(50, 96000)
        assert (merger.frames_written, merger.samples_written) == (50, 96000)


def test_nothing_but_the_movie_stays(tmp_path: Path) -> None:
    chunk = encode(tmp_path / "a", range(25))
    folder = tmp_path / "out"
    folder.mkdir()
    merge(folder / "movie.mp4", [chunk], [0, 25], tone(48000))
    assert [path.name for path in folder.iterdir()] == ["movie.mp4"]


def test_nothing_stays_of_a_merge_that_was_called_off(tmp_path: Path) -> None:
    chunk = encode(tmp_path / "a", range(25))
    folder = tmp_path / "out"
    folder.mkdir()
    with Merger(folder / "movie.mp4", FORM) as merger:
        merger.add_speech(Span(0, 48000), bytes(96000))
        merger.add_chunk(Span(0, 25), chunk)
    assert not list(folder.iterdir())


@pytest.mark.parametrize("limit", [1_000, 100_000], ids=["speech", "movie"])
def test_a_full_disk_is_told_and_leaves_nothing(tmp_path: Path, limit: int) -> None:
    rng = np.random.default_rng(0)
    with ChunkEncoder(tmp_path / "a", PAL, 64, 48, Quality.LOSSLESS) as encoder:
        for _ in range(25):
            encoder.write(rng.integers(0, 255, (72, 64), np.uint8))
        chunk = encoder.finish()
    assert chunk.size_bytes > 100_000 > 2 * 48_000
    folder = tmp_path / "out"
    folder.mkdir()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        with pytest.raises(OSError, match="too large"):
            merge(folder / "movie.mp4", [chunk.path], [0, 25], tone(48_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not list(folder.iterdir())


def test_a_gap_between_chunks_is_refused(tmp_path: Path) -> None:
    chunk = encode(tmp_path / "a", range(10))
    with Merger(tmp_path / "movie.mp4", FORM) as merger:
        merger.add_chunk(Span(0, 10), chunk)
        for wrong in (Span(11, 21), Span(9, 19), Span(0, 10)):
            with refused("chunk.frames", f"begins at {wrong.first}, but 10 comes next"):
                merger.add_chunk(wrong, chunk)
        with refused("chunk.frames", "is empty"):
            merger.add_chunk(Span(10, 10), chunk)


def test_a_gap_in_the_speech_is_refused(tmp_path: Path) -> None:
    with Merger(tmp_path / "movie.mp4", FORM) as merger:
        merger.add_speech(Span(0, 100), bytes(200))
        with refused("speech.samples", "begins at 101, but 100 comes next"):
            merger.add_speech(Span(101, 110), bytes(18))
        with refused("speech.pcm", "19 bytes for 10 samples"):
            merger.add_speech(Span(100, 110), bytes(19))


@pytest.mark.parametrize(
    ("fps", "width", "height", "frames", "quality", "complaint"),
    [
        (PAL, 96, 48, 25, Quality.LOSSLESS, "width is 96, not 64"),
        (PAL, 64, 50, 25, Quality.LOSSLESS, "height is 50, not 48"),
        (NTSC, 64, 48, 25, Quality.LOSSLESS, "frame rate is 30000/1001, not 25"),
        (PAL, 64, 48, 24, Quality.LOSSLESS, "number of frames is 24, not 25"),
        (PAL, 64, 48, 26, Quality.LOSSLESS, "number of frames is 26, not 25"),
        (PAL, 64, 48, 25, Quality.MEDIUM, "decoder configuration differs"),
    ],
)
def test_a_chunk_that_does_not_fit_is_refused(
    tmp_path: Path,
    fps: Fraction,
    width: int,
    height: int,
    frames: int,
    quality: Quality,
    complaint: str,
) -> None:
    good = encode(tmp_path / "good", range(25))
    odd = encode(tmp_path / "odd", range(frames), fps, width, height, quality)
    with Merger(tmp_path / "movie.mp4", FORM) as merger:
        merger.add_speech(Span(0, 96000), bytes(192000))
        merger.add_chunk(Span(0, 25), good)
        with refused("chunk.chunk", rf"frames \[25, 50\): {complaint}"):
            merger.add_chunk(Span(25, 50), odd)
    assert not (tmp_path / "movie.mp4").exists()


def test_a_chunk_that_is_no_movie_is_refused(tmp_path: Path) -> None:
    good = encode(tmp_path / "good", range(25)).read_bytes()
    for name, content in (("text", b"hello"), ("nothing", b""), ("half", good[: len(good) // 2])):
        (tmp_path / name).write_bytes(content)
        with Merger(tmp_path / "movie.mp4", FORM) as merger:
            merger.add_speech(Span(0, 48000), bytes(96000))
            with refused("chunk.chunk", "not a usable MP4"):
                merger.add_chunk(Span(0, 25), tmp_path / name)


def test_sound_alone_is_refused_as_a_chunk(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "sound.mp4"), "w") as container:
        stream = container.add_stream("aac", rate=48000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 4096), np.int16), "s16", "mono")
        frame.sample_rate = 48000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with Merger(tmp_path / "movie.mp4", FORM) as merger:
        merger.add_speech(Span(0, 48000), bytes(96000))
        with refused("chunk.chunk", "holds no video"):
            merger.add_chunk(Span(0, 25), tmp_path / "sound.mp4")


@pytest.mark.parametrize(
    ("frames", "samples", "field", "complaint"),
    [
        (24, 48000, "end.frames", "24 announced, 25 received"),
        (26, 48000, "end.frames", "26 announced, 25 received"),
        (25, 47999, "end.samples", "47999 announced, 48000 received"),
    ],
)
def test_wrong_totals_are_refused(
    tmp_path: Path, frames: int, samples: int, field: str, complaint: str
) -> None:
    chunk = encode(tmp_path / "a", range(25))
    with Merger(tmp_path / "movie.mp4", FORM) as merger:
        merger.add_speech(Span(0, 48000), bytes(96000))
        merger.add_chunk(Span(0, 25), chunk)
        with refused(field, complaint):
            merger.finish(frames, samples)
    assert not (tmp_path / "movie.mp4").exists()


def test_a_speech_that_does_not_last_as_long_as_the_frames_is_refused(tmp_path: Path) -> None:
    chunk = encode(tmp_path / "a", range(25))
    with Merger(tmp_path / "movie.mp4", FORM) as merger:
        merger.add_chunk(Span(0, 25), chunk)
        merger.add_speech(Span(0, 40000), bytes(80000))
        with refused("end.frames", "25, but 40000 samples last 21 frames"):
            merger.finish(25, 40000)


def test_a_merge_of_nothing_is_refused(tmp_path: Path) -> None:
    with Merger(tmp_path / "movie.mp4", FORM) as merger, refused("end.frames", "0 received"):
        merger.finish(0, 0)


def test_a_provenance_that_is_no_json_is_refused(tmp_path: Path) -> None:
    chunk = encode(tmp_path / "a", range(25))
    with Merger(tmp_path / "movie.mp4", FORM) as merger:
        merger.add_speech(Span(0, 48000), bytes(96000))
        merger.add_chunk(Span(0, 25), chunk)
        with refused("end.provenance_json", "not JSON"):
            merger.finish(25, 48000, "{")
