"""The speech service tells what it would say, and words keep their places in the text as written."""

from __future__ import annotations

import pytest

from mouthpiece.errors import BadInput
from mouthpiece.v1 import tts_pb2 as pb
from services.tts.normalization import normalized
from services.tts.synthesis import MAX_TEXT, plan_speech, sentences

TEXT = "It cost $5 on 2024-05-01. Then $x^2 = 4. 5$ came, e.g. here."


def test_tokens_point_into_the_text_and_into_what_is_said() -> None:
    found = normalized(pb.SpeechServiceNormalizeTextRequest(text="It cost $5.", language="en-GB"))
    assert found.spoken == "It cost five dollars."
    assert found.language == "en-GB"
    (token,) = found.tokens
    assert "It cost $5."[token.source.first : token.source.end] == "$5"
    assert found.spoken[token.spoken.first : token.spoken.end] == "five dollars"
    assert token.kind == "money"


def test_other_languages_stay_as_they_are() -> None:
    found = normalized(pb.SpeechServiceNormalizeTextRequest(text="J'ai 5 euros.", language="fr"))
    assert found.spoken == "J'ai 5 euros."
    assert not found.tokens


def test_a_text_that_is_too_long_is_refused() -> None:
    with pytest.raises(BadInput) as caught:
        normalized(pb.SpeechServiceNormalizeTextRequest(text="a" * (MAX_TEXT + 1)))
    assert caught.value.violations[0].field == "text"


def test_words_of_a_speech_are_those_of_the_text() -> None:
    speech = list(sentences(plan_speech(TEXT, "en")))
    assert [sentence.text for sentence in speech] == [
        "It cost $5 on 2024-05-01.",
        "Then $x^2 = 4. 5$ came, e.g. here.",
    ]
    words = [word for sentence in speech for word in sentence.words]
    assert [word.text for word in words][:4] == ["It", "cost", "$5", "on"]
    assert all(TEXT[word.source.first : word.source.end] == word.text for word in words)
    assert "$x^2 = 4. 5$" in [word.text for word in words]
    money, day = words[2], words[4]
    assert len(day.samples) > 2 * len(money.samples) > 0
