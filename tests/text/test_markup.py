"""SSML and dictionaries say how to read; markup that is not understood is refused with its place."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mouthpiece.cli.wish import read_lexicon
from mouthpiece.client import VideoOptions
from mouthpiece.core.timeline import SPEECH_RATE
from mouthpiece.errors import BadInput
from mouthpiece.text.script import Script
from mouthpiece.v1 import tts_pb2 as pb
from services.tts.normalization import normalized
from services.tts.synthesis import plan_speech, sentences


def said(text: str, language: str = "en") -> str:
    request = pb.SpeechServiceNormalizeTextRequest(text=text, language=language, markup=pb.MARKUP_SSML)
    return normalized(request).spoken


@pytest.mark.parametrize(
    ("inside", "spoken"),
    [
        ("Cats &amp; dogs cost $5", "Cats and dogs cost five dollars"),
        ('<sub alias="World Wide Web Consortium">W3C</sub> rules', "World Wide Web Consortium rules"),
        ('<say-as interpret-as="characters">cat5</say-as>', "C A T five"),
        ('<say-as interpret-as="digits">2024</say-as>', "two zero two four"),
        ('<say-as interpret-as="telephone">555 0199</say-as>', "five five five, zero one nine nine"),
        ('<say-as interpret-as="ordinal">3</say-as> place', "third place"),
        ('in <say-as interpret-as="cardinal">1999</say-as>', "in one thousand nine hundred and ninety-nine"),
        ('<say-as interpret-as="date">2024-05-01</say-as>', "May first, twenty twenty-four"),
    ],
)
def test_elements_say_how_to_read(inside: str, spoken: str) -> None:
    assert said(f"<speak>{inside}</speak>") == spoken


@pytest.mark.parametrize(
    ("language", "kind", "form", "inside", "spoken"),
    [
        ("en", "date", "mdy", "5/1/2024", "May first, twenty twenty-four"),
        ("en", "date", "dmy", "5/1/2024", "the fifth of January twenty twenty-four"),
        ("en", "date", "yyyymmdd", "20240501", "May first, twenty twenty-four"),
        ("en", "date", "md", "12/25", "December twenty-fifth"),
        ("en", "date", "my", "5/2024", "May twenty twenty-four"),
        ("en", "date", "m", "7", "July"),
        ("en", "date", "y", "1066", "ten sixty-six"),
        ("en", "time", "hms12", "14:05", "two oh five P M"),
        ("en", "time", "hms24", "14:05", "fourteen oh five"),
        ("en", "time", "", "2:30pm", "two thirty P M"),
        ("en", "currency", "USD", "42.01", "forty-two dollars and one cent"),
        ("en", "currency", "", "€5", "five euros"),
        ("en", "telephone", "1", "800-CALL", "plus one, eight zero zero, C A L L"),
        ("en", "characters", "", "a-b", "A dash B"),
        ("en", "cardinal", "", "-1,234.5", "minus one thousand two hundred and thirty-four point five"),
        ("en", "cardinal", "", "XIV", "fourteen"),
        ("en", "ordinal", "", "XIV", "fourteenth"),
        ("en", "fraction", "", "2 1/2", "two and a half"),
        ("en", "fraction", "", "5/213", "five slash two hundred and thirteen"),
        ("en", "unit", "", "10kg", "ten kilograms"),
        ("ru", "date", "my", "05.2024", "май две тысячи двадцать четвёртого года"),
        ("ru", "date", "y", "1998", "тысяча девятьсот девяносто восьмой год"),
        ("ru", "time", "", "2:30pm", "четырнадцать тридцать"),
        ("ru", "currency", "USD", "42,01", "сорок два доллара один цент"),
        ("ru", "unit", "", "5 км", "пять километров"),
        ("de", "date", "my", "5/2024", "Mai zweitausendvierundzwanzig"),
        ("de", "currency", "EUR", "42,50", "zweiundvierzig Euro und fünfzig Cent"),
        ("de", "fraction", "", "3/4", "drei Viertel"),
        ("de", "ordinal", "", "3.", "dritter"),
    ],
)
def test_words_are_read_as_what_they_are_said_to_be(
    language: str, kind: str, form: str, inside: str, spoken: str
) -> None:
    form = f" format='{form}'" if form else ""
    assert said(f"<speak><say-as interpret-as='{kind}'{form}>{inside}</say-as></speak>", language) == spoken


@pytest.mark.parametrize(
    ("language", "kind", "inside"),
    [
        ("en", "date", "13/40/2024"),
        ("en", "time", "soon"),
        ("en", "currency", "5"),
        ("en", "telephone", "none"),
        ("en", "unit", "5 foxes"),
        ("fr", "cardinal", "5"),
    ],
)
def test_what_is_not_what_it_is_said_to_be_is_told(language: str, kind: str, inside: str) -> None:
    text = f"<speak>So <say-as interpret-as='{kind}'>{inside}</say-as>.</speak>"
    found = normalized(
        pb.SpeechServiceNormalizeTextRequest(text=text, language=language, markup=pb.MARKUP_SSML)
    )
    (warning,) = found.warnings
    assert inside in warning
    assert kind in warning
    assert warning in plan_speech(Script(text, is_ssml=True), language).warnings


def test_russian_is_marked_up_as_well() -> None:
    inside = 'Это <say-as interpret-as="ordinal">21</say-as> век'
    assert said(f"<speak>{inside}</speak>", "ru") == "Это двадцать первый век"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("<speak>a", "line 1, column 9"),
        ("plain", "line 1"),
        ("<speak>\n <blink>a</blink></speak>", "<blink> is not understood (line 2, column 2)"),
        ("<speak><break time='1 hour'/>a</speak>", "is not a time"),
        ("<speak><break time='11s'/>a</speak>", "is not a time"),
        ("<speak><break strength='huge'/>a</speak>", "is not a strength"),
        ("<speak><sub>a</sub></speak>", "needs an alias"),
        ("<speak><say-as interpret-as='song'>a</say-as></speak>", "interpret-as"),
        ("<speak><speak>a</speak></speak>", "outermost"),
        ("<p>a</p>", "outermost"),
        ("<speak onload='x'>a</speak>", "no attribute"),
        ("<speak><prosody contour='(0%,+20Hz)'>a</prosody></speak>", "no attribute 'contour'"),
        ("<speak><prosody rate='quick'>a</prosody></speak>", "'quick' is not a rate"),
        ("<speak><prosody rate='300%'>a</prosody></speak>", "not within 50% to 250%"),
        ("<speak><prosody pitch='200Hz'>a</prosody></speak>", "'200Hz' is not a pitch in semitones"),
        ("<speak><prosody pitch='-100%'>a</prosody></speak>", "not within -5st to 9st"),
        ("<speak><prosody volume='+20dB'>a</prosody></speak>", "not within -40dB to 12dB"),
        ("<speak><emphasis level='huge'>a</emphasis></speak>", "'huge' is not a level"),
        ("<speak><say-as interpret-as='date' format='abc'>1</say-as></speak>", "not a format of date"),
        ("<speak><say-as interpret-as='unit' format='kg'>1</say-as></speak>", "not a format of unit"),
        ('<!DOCTYPE speak [<!ENTITY a "b">]><speak>&a;</speak>', "declarations"),
        ('<!DOCTYPE speak SYSTEM "file:///etc/passwd"><speak>a</speak>', "declarations"),
        ("<?xml-stylesheet href='a'?><speak>a</speak>", "declarations"),
    ],
)
def test_what_is_not_understood_is_refused(text: str, told: str) -> None:
    with pytest.raises(BadInput) as caught:
        plan_speech(Script(text, is_ssml=True), "en")
    (violation,) = caught.value.violations
    assert violation.field == "text"
    assert told in violation.description


def test_words_point_into_the_document() -> None:
    text = '<speak><p>It costs $5 &amp; more.</p> <s><sub alias="never">nvr</sub> late</s></speak>'
    speech = list(sentences(plan_speech(Script(text, is_ssml=True), "en")))
    words = [word for sentence in speech for word in sentence.words]
    assert [word.text for word in words] == ["It", "costs", "$5", "&amp;", "more", "nvr", "late"]
    assert all(text[word.source.first : word.source.end] == word.text for word in words)


@pytest.mark.parametrize("pause", [100, 500, 2000])
def test_a_break_lasts_from_the_end_of_the_sound_to_the_next_sentence(pause: int) -> None:
    text = (
        f"<speak>One two three <break time='{pause}ms'/> four five six.<break time='{pause}ms'/> Go.</speak>"
    )
    for part in list(sentences(plan_speech(Script(text, is_ssml=True), "en")))[:-1]:
        assert silence_after(part.pcm) / SPEECH_RATE == pytest.approx(pause / 1000, abs=0.005)


def silence_after(pcm: bytes) -> int:
    """Samples after the last one above -66 dB of full scale."""
    samples = np.frombuffer(pcm, "<i2").astype(np.int32)
    return len(samples) - int(np.flatnonzero(np.abs(samples) > 16)[-1]) - 1


def test_a_break_is_that_much_silence() -> None:
    def length(pause: str) -> int:
        text = f"<speak>One two three <break time='{pause}'/> four five six. Seven.</speak>"
        first, *_ = sentences(plan_speech(Script(text, is_ssml=True), "en"))
        assert first.text.startswith("One")
        assert silence_after(first.pcm) >= SPEECH_RATE * int(pause[:-2]) // 1000 - 10
        return len(first.samples)

    assert abs(length("2000ms") - length("500ms") - SPEECH_RATE * 3 // 2) < SPEECH_RATE // 100


def test_a_dictionary_replaces_whole_words() -> None:
    request = pb.SpeechServiceNormalizeTextRequest(
        text="GIF and gifs by Nguyen, nguyen",
        language="en",
        pronunciations=[
            pb.Pronunciation(word="gif", alias="jif"),
            pb.Pronunciation(word="Nguyen", alias="win"),
        ],
    )
    found = normalized(request)
    assert found.spoken == "jif and gifs by win, nguyen"
    assert [token.kind for token in found.tokens] == ["alias", "alias"]


@pytest.mark.parametrize(
    ("word", "alias"), [("", "a"), (" a", "b"), ("a", " "), ("a" * 101, "b"), ("a", "b" * 501)]
)
def test_a_wrong_dictionary_is_refused(word: str, alias: str) -> None:
    with pytest.raises(BadInput) as caught:
        Script("Some text", pronunciations={word: alias})
    assert caught.value.violations[0].field == "pronunciations"


def test_a_lexicon_file_is_read(tmp_path: Path) -> None:
    file = tmp_path / "lexicon.txt"
    file.write_text("# names\nNguyen = win\n\nSQL=sequel\n", encoding="utf-8")
    assert read_lexicon(file) == {"Nguyen": "win", "SQL": "sequel"}
    file.write_text("Nguyen\n", encoding="utf-8")
    with pytest.raises(BadInput, match="line 1"):
        read_lexicon(file)


def test_options_carry_markup_and_dictionary() -> None:
    spec = VideoOptions(ssml=True, pronunciations={"a": "b"}).spec(text="<speak>a</speak>")
    assert spec.markup == pb.MARKUP_SSML
    assert [(entry.word, entry.alias) for entry in spec.pronunciations] == [("a", "b")]
