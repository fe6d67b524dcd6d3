"""A voice moved toward another is like it in pitch, range and timbre, and says the same at the same time."""

from __future__ import annotations

import numpy as np
import pytest

from mouthpiece.errors import BadInput
from services.tts import cepstra
from services.tts.engine import Rendition, Sound
from services.tts.espeak import RATE, Manner, speak
from services.tts.matching import BANDS, distance, match, profile, spectrum
from services.tts.synthesis import to_pcm, to_speech_rate
from services.tts.tone import warmed
from services.tts.warping import follow
from tests.support.tts_audio import to_rate, tone

TEXT = (
    "Bob Palmer bought a blue map of the Mississippi. Maybe people prefer a simple paper plan. "
    "We should ask someone who knows the way, before it gets dark and cold outside."
)
OTHER = (
    "The old harbour was quiet in the morning, and nobody had seen the fishermen leave. Their daughter was "
    "waiting at the window, counting ships. When at last the wind turned, she ran down to the shore."
)
SAMPLE = (
    "Every voice has its own colour. Five children jump over a cold, shallow brook; their teacher laughs and "
    "gives them bread with butter. Is it far to the big city?"
)


def say(text: str, voice: str = "gmw/en-US", pitch: int = 50) -> Sound:
    pcm = speak(text, voice, Manner(pitch=pitch)).pcm
    return np.asarray(warmed(pcm.astype(np.float32)) / 32768, np.float32)


@pytest.fixture(scope="module", params=[("gmw/en-US+f3", 60), ("gmw/en-US+m7", 20)])
def matched(request: pytest.FixtureRequest) -> tuple[Sound, Sound, Sound]:
    """What a voice says, how it is after matching, and the voice that it was to be like."""
    voice, pitch = request.param
    wanted = say(OTHER, voice, pitch)
    plain = say(TEXT)
    return plain, match(say(SAMPLE), RATE, profile(wanted, RATE))(plain, RATE), wanted


def test_pitch_is_within_a_semitone_and_timbre_at_least_twice_as_near(
    matched: tuple[Sound, Sound, Sound],
) -> None:
    plain, moved, wanted = (profile(sound, RATE) for sound in matched)
    assert abs(moved.pitch - wanted.pitch) < 1
    assert distance(moved.spectrum, wanted.spectrum) <= distance(plain.spectrum, wanted.spectrum) / 2
    assert abs(moved.span - wanted.span) < 2.5


def test_nothing_moves_in_time(matched: tuple[Sound, Sound, Sound]) -> None:
    """The way through the matched speech along the unmatched one is the diagonal."""
    plain, moved, _ = matched
    assert len(plain) == len(moved)
    mine, theirs = (
        cepstra.with_slopes(cepstra.cepstra(to_rate(sound, RATE, cepstra.RATE))) for sound in (plain, moved)
    )
    path = follow(mine, theirs, 0)
    away = np.abs(path.frames - np.arange(len(path.frames)))
    assert np.percentile(away, 90) <= 3
    wrong = follow(mine, np.roll(theirs, len(theirs) // 2, axis=0), 0)
    assert path.cost < 0.85 * wrong.cost


def test_sounds_stay_as_unlike_each_other_as_they_were(matched: tuple[Sound, Sound, Sound]) -> None:
    """What tells sounds apart, how cepstra vary in time, is not smoothed away."""
    plain, moved, _ = matched
    contrasts = [
        float(cepstra.cepstra(to_rate(sound, RATE, cepstra.RATE))[:, 1:].std(axis=0).mean())
        for sound in (plain, moved)
    ]
    assert contrasts[1] > 0.8 * contrasts[0]


def test_a_matched_sentence_begins_and_ends_without_a_click(matched: tuple[Sound, Sound, Sound]) -> None:
    plain, moved, _ = matched
    pcm = to_pcm(to_speech_rate(Rendition(moved, RATE))).astype(np.int64)
    assert pcm[0] == pcm[-1] == 0
    assert np.abs(np.diff(pcm[:96])).max() < 500
    assert np.abs(np.diff(pcm[-240:])).max() < 500
    assert np.abs(np.diff(moved)).max() < 2.5 * np.abs(np.diff(plain)).max()
    assert 0.4 < moved.std() / plain.std() < 2.5


def test_a_sentence_is_matched_the_same_way_each_time() -> None:
    matcher = match(
        say("Five children jump over a brook."), RATE, profile(say(OTHER[:80], "gmw/en-US+f3"), RATE)
    )
    sound = say("Maybe.")
    assert np.array_equal(matcher(sound, RATE), matcher(sound, RATE))
    assert len(matcher(sound[:10], RATE)) == 10


@pytest.mark.parametrize("sound", [np.zeros(0, np.float32), np.zeros(RATE, np.float32), tone(0.1, RATE)])
def test_what_holds_no_voice_is_no_reference(sound: Sound) -> None:
    with pytest.raises(BadInput):
        profile(sound, RATE)


def test_a_spectrum_tells_where_the_sound_is() -> None:
    levels = spectrum(tone(2, RATE, 1000), RATE)
    assert int(levels.argmax()) == int(np.abs(BANDS - 1000).argmin())
    assert levels.mean() == pytest.approx(0, abs=1e-6)
