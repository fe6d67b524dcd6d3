"""Recordings become speech of exactly their length, and what is none is refused with the field."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest

from mouthpiece.core.timeline import SPEECH_RATE, Span
from mouthpiece.errors import BadInput
from services.tts.decoding import decode
from services.tts.espeak import Cancelled
from services.tts.recording import Recording, sentences, survey
from tests.support.tts_audio import Sound, encode, samples_of, silence, tone, write_float_wav, write_wav

LIMIT = 60.0


def speechlike(seconds: float, rate: int = SPEECH_RATE) -> Sound:
    """A tone for 0.7 s of each second, and silence."""
    sound = tone(seconds, rate)
    return np.where(np.arange(len(sound)) / rate % 1 < 0.7, sound, 0).astype(np.float32)


def imported(recording: Recording) -> np.ndarray:
    return np.concatenate([samples_of(sentence) for sentence in sentences(recording)])


def refusal(path: Path, limit: float = LIMIT) -> str:
    with pytest.raises(BadInput) as caught:
        survey(path, limit)
    assert [violation.field for violation in caught.value.violations] == ["audio"]
    return caught.value.violations[0].description


@pytest.mark.parametrize(
    ("name", "codec", "rate"),
    [
        ("a.wav", "pcm_s16le", 44_100),
        ("a.wav", "pcm_s24le", 22_050),
        ("a.wav", "pcm_u8", 8_000),
        ("a.wav", "pcm_f64le", 96_000),
        ("a.flac", "flac", 44_100),
        ("a.aiff", "pcm_s16be", 11_025),
        ("a.mka", "pcm_s16le", 16_000),
        ("a.mp3", "libmp3lame", 44_100),
        ("a.m4a", "aac", 44_100),
        ("a.mp4", "aac", 48_000),
    ],
)
def test_a_recording_keeps_its_exact_length(tmp_path: Path, name: str, codec: str, rate: int) -> None:
    path = encode(tmp_path / name, codec, speechlike(3.21, rate), rate, picture=name == "a.mp4")
    recording = survey(path, LIMIT)
    assert recording.samples == round(round(3.21 * rate) * SPEECH_RATE / rate)
    assert len(imported(recording)) == recording.samples


@pytest.mark.parametrize("name", ["a.ogg", "a.webm", "a.aac"])
def test_containers_that_do_not_state_a_length_are_read_to_their_end(tmp_path: Path, name: str) -> None:
    codec = "aac" if name == "a.aac" else "libopus"
    path = encode(tmp_path / name, codec, speechlike(3), SPEECH_RATE)
    assert survey(path, LIMIT).samples == pytest.approx(3 * SPEECH_RATE, abs=0.05 * SPEECH_RATE)


def test_a_recording_on_the_grid_is_taken_bit_for_bit(tmp_path: Path) -> None:
    sound = np.random.default_rng(1).integers(-32768, 32768, 100_000) / 32768
    path = write_wav(tmp_path / "a.wav", sound.astype(np.float32), channels=2)
    assert np.array_equal(imported(survey(path, LIMIT)), np.rint(sound * 32768))


def test_a_tone_has_no_phase_break_at_the_joins_of_pieces(tmp_path: Path) -> None:
    sound = tone(70, hertz=100, level=0.9)
    recording = survey(write_wav(tmp_path / "a.wav", sound), 100)
    assert len(recording.pieces) >= 3
    result = imported(recording)
    assert np.abs(result - np.rint(sound * 32768)).max() <= 1


def test_a_tone_survives_resampling(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "a.wav", tone(2, 44_100), 44_100)
    error = imported(survey(path, LIMIT)) - tone(2) * 32768
    assert np.abs(error[2000:-2000]).max() < 4


def test_channels_are_mixed_by_their_mean(tmp_path: Path) -> None:
    left = tone(1, level=0.8)
    path = write_stereo(tmp_path / "a.wav", left, np.zeros_like(left))
    assert np.abs(imported(survey(path, LIMIT)) - left * 16384).max() <= 1


def test_channels_that_cancel_each_other_out_are_not_called_silent(tmp_path: Path) -> None:
    left = speechlike(2)
    with pytest.raises(BadInput, match="cancel each other out"):
        survey(write_stereo(tmp_path / "a.wav", left, -left), LIMIT)


def write_stereo(path: Path, left: Sound, right: Sound) -> Path:
    write_wav(path, np.stack((left, right), axis=1).reshape(-1))
    data = bytearray(path.read_bytes())
    data[22:24] = (2).to_bytes(2, "little")
    path.write_bytes(data)
    return path


def test_floats_beyond_full_scale_are_turned_down_not_clipped(tmp_path: Path) -> None:
    path = write_float_wav(tmp_path / "a.wav", tone(1, level=4))
    recording = survey(path, LIMIT)
    result = imported(recording)
    assert 0.9 * 32767 < np.abs(result).max() < 32767
    assert np.corrcoef(result, tone(1))[0, 1] > 0.99999


def test_pieces_end_in_pauses_and_are_thirty_seconds_long_at_most(tmp_path: Path) -> None:
    recording = survey(write_wav(tmp_path / "a.wav", speechlike(58)), LIMIT)
    pieces = list(sentences(recording))
    assert pieces[0].samples.first == 0
    assert pieces[-1].samples.end == recording.samples
    assert all(one.samples.end == other.samples.first for one, other in pairwise(pieces))
    assert len(pieces) > 3
    for piece in pieces:
        assert 2 * SPEECH_RATE <= len(piece.samples) <= 30 * SPEECH_RATE
        assert piece.phonemes is None
        assert piece.words == ()
        assert piece.pauses[-1].end == piece.samples.end
        assert all(piece.samples.contains(pause) for pause in piece.pauses)


def test_pauses_are_where_nobody_speaks(tmp_path: Path) -> None:
    recording = survey(write_wav(tmp_path / "a.wav", speechlike(5)), LIMIT)
    middles = [(pause.first + pause.end) / 2 / SPEECH_RATE for pause in recording.pauses]
    assert middles == pytest.approx([0.85, 1.85, 2.85, 3.85, 4.85], abs=0.03)


def truncated(path: Path, share: float = 0.6) -> Path:
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    return path


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("a.wav", "pcm_s16le"),
        ("a.wav", "pcm_f32le"),
        ("a.flac", "flac"),
        ("a.mp3", "libmp3lame"),
        ("a.m4a", "aac"),
        ("a.aac", "aac"),
        ("a.aiff", "pcm_s16be"),
        ("a.webm", "libopus"),
    ],
)
def test_a_recording_that_was_cut_off_is_refused(tmp_path: Path, name: str, codec: str) -> None:
    path = encode(tmp_path / name, codec, speechlike(6), SPEECH_RATE)
    assert "cut off" in refusal(truncated(path))


def test_a_movie_whose_index_is_missing_is_refused(tmp_path: Path) -> None:
    path = encode(tmp_path / "a.mov", "aac", speechlike(3), SPEECH_RATE)
    assert "cut off" in refusal(truncated(path))


def text(path: Path) -> None:
    path.write_text("hello, this is not sound\n" * 50)


def empty(path: Path) -> None:
    path.write_bytes(b"")


def noise(path: Path) -> None:
    path.write_bytes(np.random.default_rng(3).bytes(50_000))


def playlist(path: Path) -> None:
    write_wav(path.with_name("b.wav"), tone(1))
    path.write_text("#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nb.wav\n#EXT-X-ENDLIST\n")


def concatenation(path: Path) -> None:
    write_wav(path.with_name("b.wav"), tone(1))
    path.write_text("ffconcat version 1.0\nfile b.wav\n")


def picture(path: Path) -> None:
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(500))


def header_only(path: Path) -> None:
    write_wav(path, np.zeros(0, np.float32))


@pytest.mark.parametrize("make", [text, empty, noise, playlist, concatenation, picture, header_only])
@pytest.mark.parametrize("name", ["a.wav", "a.m3u8"])
def test_what_is_not_sound_is_refused(tmp_path: Path, make: Callable[[Path], None], name: str) -> None:
    path = tmp_path / name
    make(path)
    assert refusal(path)


def test_a_video_without_sound_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10, width=64, height=64)
        container.mux(stream.encode(av.VideoFrame(64, 64, "yuv420p")))
        container.mux(stream.encode(None))
    assert "no sound" in refusal(path)


@pytest.mark.parametrize("offset", [0.0, 0.2])
def test_a_recording_that_is_silent_throughout_is_refused(tmp_path: Path, offset: float) -> None:
    assert "silent" in refusal(write_wav(tmp_path / "a.wav", silence(20) + np.float32(offset)))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_samples_that_are_no_numbers_are_refused(tmp_path: Path, value: float) -> None:
    sound = speechlike(3)
    sound[100_000] = value
    assert "finite" in refusal(write_float_wav(tmp_path / "a.wav", sound))


def test_a_recording_that_is_too_long_is_refused_at_once_where_it_says_so(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "a.wav", speechlike(12, 8_000), 8_000)
    assert "longer than 10 seconds" in refusal(path, 10)
    with pytest.raises(BadInput):
        next(decode(path, 10))


def test_a_recording_that_is_too_long_is_refused_on_the_way_where_it_does_not_say_so(tmp_path: Path) -> None:
    path = encode(tmp_path / "a.ogg", "libopus", speechlike(12), SPEECH_RATE)
    assert "longer than 10 seconds" in refusal(path, 10)


@pytest.mark.parametrize("rate", [1, 1_000, 2_000_000, 2**31 - 1])
def test_a_rate_that_no_recorder_has_is_refused(tmp_path: Path, rate: int) -> None:
    path = write_wav(tmp_path / "a.wav", tone(1), rate)
    assert "samples per second" in refusal(path)


def test_a_file_that_is_damaged_in_its_middle_is_refused(tmp_path: Path) -> None:
    path = encode(tmp_path / "a.flac", "flac", speechlike(6), SPEECH_RATE)
    data = bytearray(path.read_bytes())
    data[len(data) // 3 : 2 * len(data) // 3] = bytes(len(data) // 3)
    path.write_bytes(data)
    assert "damaged" in refusal(path)


def test_a_limit_is_met_exactly(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "a.wav", speechlike(10))
    assert survey(path, 10).samples == 10 * SPEECH_RATE


def test_a_header_that_does_not_know_its_length_is_no_fault(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "a.wav", speechlike(3))
    data = bytearray(path.read_bytes())
    data[40:44] = b"\xff\xff\xff\xff"
    path.write_bytes(data)
    assert survey(path, LIMIT).samples == 3 * SPEECH_RATE


def test_reading_stops_when_it_is_cancelled(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "a.wav", speechlike(20))
    with pytest.raises(Cancelled):
        survey(path, LIMIT, lambda: True)
    recording = survey(path, LIMIT)
    with pytest.raises(Cancelled):
        list(sentences(recording, cancelled=lambda: True))


def test_memory_does_not_grow_with_the_recording(tmp_path: Path) -> None:
    def peak(seconds: int) -> int:
        path = write_wav(tmp_path / f"{seconds}.wav", speechlike(seconds, 16_000), 16_000)
        tracemalloc.start()
        try:
            for sentence in sentences(survey(path, 1000)):
                del sentence
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert peak(200) < peak(50) + 2_000_000


def test_pieces_of_a_recording_are_spans_of_it() -> None:
    recording = Recording(Path("a.wav"), LIMIT, 100, 1.0, (Span(10, 20),), (Span(0, 100),))
    assert recording.speech_samples == 90
