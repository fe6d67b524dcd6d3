from __future__ import annotations

from datetime import UTC, datetime
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mouthpiece.client import Patience, VideoOptions, parse_fps
from mouthpiece.client.retry import Backoff
from mouthpiece.errors import BadInput
from mouthpiece.v1 import common_pb2, gateway_pb2


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("25", Fraction(25)),
        (" 12.5 ", Fraction(25, 2)),
        ("29.97", Fraction(30000, 1001)),
        ("23.976", Fraction(24000, 1001)),
        ("23.98", Fraction(24000, 1001)),
        ("59.94", Fraction(60000, 1001)),
        ("119.88", Fraction(120000, 1001)),
        ("24.98", Fraction(1249, 50)),
        ("29.9", Fraction(299, 10)),
        ("30000/1001", Fraction(30000, 1001)),
    ],
)
def test_frame_rates_are_read_as_people_write_them(text: str, rate: Fraction) -> None:
    assert parse_fps(text) == rate


@pytest.mark.parametrize("text", ["", "fast", "-25", "25/0", "1e2", "nan", "inf", "4.99", "121", "25/"])
def test_what_is_no_frame_rate_is_refused(text: str) -> None:
    with pytest.raises(BadInput) as raised:
        parse_fps(text)
    assert raised.value.violations[0].field == "fps"


@given(st.fractions(5, 120, max_denominator=1001))
def test_any_fraction_can_be_written(rate: Fraction) -> None:
    assert parse_fps(f"{rate.numerator}/{rate.denominator}") == rate


def test_nothing_chosen_leaves_everything_to_the_suite() -> None:
    assert VideoOptions().spec(text="Hi.") == gateway_pb2.JobSpec(text="Hi.")


def test_every_option_reaches_the_job() -> None:
    spec = VideoOptions(
        voice="en-us",
        language="en",
        engine="viseme",
        quality="lossless",
        codec="hevc",
        mode="chunked",
        chunk_seconds=2.5,
        max_workers=3,
        fps=Fraction(30000, 1001),
        width=640,
        height=360,
        seed=0,
        title="A title",
        prompt="She smiles.",
        ssml=True,
        pronunciations={"Nguyen": "win"},
        crossfade=0.5,
        ignore_cache=True,
        edit="j" + "0" * 25,
        captions=True,
        optimize_streaming=True,
        priority=5,
        deadline=datetime(2026, 1, 31, tzinfo=UTC),
        voice_fallback="reference",
        speaking_rate=1.2,
        loudness="normalize",
        denoise=True,
        longest_pause=1.0,
        callback="https://example.org/done",
        callback_secret="news",
        enhance=True,
        brightness=0.1,
        contrast=-0.1,
        saturation=0.2,
        sharpness=0.3,
        deflicker=0.4,
        smoothing=0.5,
        background="#20304a",
        consent="contract 7",
        label="AI",
        label_corner="top-left",
        label_opacity=0.5,
    ).spec(text="Hi.", audio_sha256="a" * 64, avatar_sha256="b" * 64, voice_reference_sha256="c" * 64)
    unset = {field.name for field in spec.DESCRIPTOR.fields} - {field.name for field, _ in spec.ListFields()}
    assert unset == set()
    assert {field.name for field, _ in spec.enhancement.ListFields()} == {
        field.name for field in spec.enhancement.DESCRIPTOR.fields
    }
    assert spec.quality == common_pb2.QUALITY_LOSSLESS
    assert spec.mode == gateway_pb2.MODE_CHUNKED
    assert (spec.chunk_length.seconds, spec.chunk_length.nanos) == (2, 500_000_000)
    assert spec.fps == common_pb2.Rational(numerator=30000, denominator=1001)
    assert spec.HasField("seed")
    assert spec.seed == 0


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("quality", "best"),
        ("mode", "fast"),
        ("codec", "vp9"),
        ("brightness", 1.5),
        ("smoothing", -0.1),
        ("deflicker", float("nan")),
        ("chunk_seconds", 0.1),
        ("chunk_seconds", 601),
        ("chunk_seconds", float("nan")),
        ("max_workers", -1),
        ("fps", Fraction(4)),
        ("fps", Fraction(10**10 + 1, 10**9)),
        ("width", -2),
        ("width", 62),
        ("height", 4098),
        ("seed", 1 << 63),
        ("callback_secret", "news"),
    ],
)
def test_a_wrong_option_is_refused_by_name(field: str, value: object) -> None:
    arguments: dict[str, Any] = {field: value}
    with pytest.raises(BadInput) as raised:
        VideoOptions(**arguments)
    assert raised.value.violations[0].field == field


def test_nothing_to_say_is_refused() -> None:
    with pytest.raises(BadInput) as raised:
        VideoOptions().spec(text=" \n")
    assert raised.value.violations[0].field == "text"


# ---------------------------------------------------------------- waits


def test_waits_double_up_to_the_longest_and_begin_anew_after_an_answer() -> None:
    backoff = Backoff(Patience(seconds=100, first_wait=0.1, longest_wait=0.5))
    assert [backoff.failed(0.0, 1.0) for _ in range(4)] == [0.1, 0.2, 0.4, 0.5]
    backoff.heard()
    assert backoff.failed(500.0, 1.0) == 0.1


def test_a_server_that_says_when_to_come_back_is_believed() -> None:
    assert Backoff(Patience(seconds=60)).failed(0.0, 0.5, hint=7.0) == 7.0


@given(st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.floats(0, 30)), min_size=1))
def test_patience_bounds_the_time_without_an_answer(failures: list[tuple[float, float]]) -> None:
    backoff, now = Backoff(Patience(seconds=60)), 1000.0
    for chance, hint in failures:
        wait = backoff.failed(now, chance, hint)
        if wait is None:
            assert now >= 1060
            return
        assert wait >= 0
        now += wait
        assert now <= 1060 + 1e-6


def test_a_background_is_a_colour_or_a_file() -> None:
    assert VideoOptions(background="#20304A").spec(text="Hi.").background.color == "#20304A"
    pictured = VideoOptions(background="studio.jpg").spec(text="Hi.", background_sha256="d" * 64)
    assert pictured.background.picture_sha256 == "d" * 64
    with pytest.raises(BadInput, match="neither a colour"):
        VideoOptions(background="#2030")
