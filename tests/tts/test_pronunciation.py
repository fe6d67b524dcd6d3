"""Sounds that are given in the International Phonetic Alphabet are those that are heard."""

from __future__ import annotations

import pytest

from mouthpiece.client.options import pronunciation
from mouthpiece.errors import BadInput
from mouthpiece.text.phonemes import as_written, pronounced
from mouthpiece.text.script import Script
from mouthpiece.v1 import tts_pb2 as pb
from services.tts import articulation, espeak
from services.tts.normalization import normalized
from services.tts.pronouncing import Unpronounceable
from services.tts.synthesis import plan_speech, sentences
from services.tts.wire import script


def heard(ipa: str, voice: str) -> str:
    """The sounds of a word without stress, as espeak-ng reports them."""
    utterance = espeak.speak(pronounced("word", ipa), voice)
    phonemes = (mark for mark in utterance.marks if mark.kind is espeak.MarkKind.PHONEME)
    return "".join(articulation.ipa(phoneme.symbol).lstrip("ˈˌ") for phoneme in phonemes)


@pytest.mark.parametrize(
    ("voice", "ipa", "sounds"),
    [
        ("gmw/en-US", "dʒɪf", "dʒɪf"),
        ("gmw/en-US", "ŋuˈjɛn", "ŋujɛn"),
        ("gmw/en-US", "/t͡ʃiːz/", "tʃiːz"),
        ("gmw/en-US", "ʒaːn", "ʒɑːn"),
        ("gmw/en-US", "ˈvɪʒ.ən", "vɪʒən"),
        ("gmw/en-US", "ɡoʊst", "ɡoʊst"),
        ("gmw/en-US", "gouθ", "ɡouθ"),
        ("gmw/de", "ˈbʊx", "bʊx"),
        ("gmw/de", "çɛmiː", "çɛmiː"),
        ("gmw/de", "ʃtraːsə", "ʃtɾɑːsə"),
        ("zle/ru", "ɕːi", "ɕi"),
    ],
)
def test_a_voice_says_the_sounds(voice: str, ipa: str, sounds: str) -> None:
    assert heard(ipa, voice) == sounds


@pytest.mark.parametrize("ipa", ["ʘa", "5", "hello!", "ˈ", "кот"])
def test_what_no_voice_has_is_refused(ipa: str) -> None:
    with pytest.raises(Unpronounceable):
        espeak.check_sounds(ipa, "gmw/en-US")


def test_brackets_of_a_text_are_no_phonemes() -> None:
    plain, bracketed = (espeak.to_ipa(text, "gmw/en-US") for text in ("so hat then", "so [[hat]] then"))
    assert plain == bracketed


def test_markup_gives_sounds_and_words_keep_their_places() -> None:
    text = '<speak>My <phoneme alphabet="ipa" ph="ŋuˈjɛn">Van Nguyen</phoneme> said 5.</speak>'
    plan = plan_speech(Script(text, is_ssml=True), "en")
    sentence = next(sentences(plan))
    assert [word.text for word in sentence.words] == ["My", "Van Nguyen", "said", "5"]
    assert all(text[word.source.first : word.source.end] == word.text for word in sentence.words)
    sounds = [phoneme.ipa for phoneme in sentence.phonemes or ()]
    assert sounds[sounds.index("ŋ") :][:5] == ["ŋ", "u", "j", "ˈɛ", "n"]
    (piece,) = plan.pieces
    assert as_written(piece.text) == "My Van-Nguyen said five."


@pytest.mark.parametrize(
    ("inside", "told"),
    [
        ('<phoneme ph="кот">cat</phoneme>', "cannot be pronounced"),
        ("<phoneme>cat</phoneme>", "needs ph"),
        ('<phoneme alphabet="x-sampa" ph="k">cat</phoneme>', "alphabet"),
    ],
)
def test_wrong_sounds_in_markup_are_refused(inside: str, told: str) -> None:
    with pytest.raises(BadInput, match=told) as caught:
        plan_speech(Script(f"<speak>{inside}</speak>", is_ssml=True), "en")
    assert caught.value.violations[0].field == "text"


def test_a_dictionary_gives_sounds() -> None:
    request = pb.SynthesizeRequest(
        text="See Nguyen.", language="en", pronunciations=[pronunciation("Nguyen", "/wɪn/")]
    )
    sentence = next(sentences(plan_speech(script(request), "en")))
    assert [phoneme.ipa.lstrip("ˈˌ") for phoneme in sentence.phonemes or () if phoneme.ipa][-3:] == [
        "w",
        "ɪ",
        "n",
    ]
    question = pb.SpeechServiceNormalizeTextRequest(text=request.text, language="en")
    question.pronunciations.extend(request.pronunciations)
    told = normalized(question)
    assert told.spoken == "See /wɪn/."
    assert told.tokens[0].kind == "alias"


@pytest.mark.parametrize(
    "entry",
    [
        pb.Pronunciation(word="a", ipa="5"),
        pb.Pronunciation(word="a", alias="b", ipa="k"),
        pb.Pronunciation(word="a", ipa="k" * 201),
        pb.Pronunciation(word="a", ipa=" "),
    ],
)
def test_wrong_sounds_in_a_dictionary_are_refused(entry: pb.Pronunciation) -> None:
    request = pb.SynthesizeRequest(text="A text.", language="en", pronunciations=[entry])
    with pytest.raises(BadInput) as caught:
        plan_speech(script(request), "en")
    assert caught.value.violations[0].field == "pronunciations"


def test_private_characters_of_a_text_mean_nothing() -> None:
    (sentence,) = sentences(plan_speech("One \ue000two\ue001θ\ue002 three.", "en"))
    assert [word.text for word in sentence.words][:2] == ["One", "two"]
