"""Texts are read as a person would read them; what is prose already stays as it is."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mouthpiece.core.timeline import Span
from mouthpiece.text.normalize import normalize

HERE = Path(__file__).parent
DOCUMENT = HERE.parents[1] / "docs" / "normalisation.md"


def table(language: str) -> list[tuple[str, str]]:
    lines = (HERE / f"cases_{language}.tsv").read_text(encoding="utf-8").splitlines()
    return [(source, spoken) for source, _, spoken in (line.partition("\t") for line in lines)]


CASES = [(language, *case) for language in ("de", "en", "ru") for case in table(language)]
PROSE = {
    "de": """der schnelle braune Fuchs sprang über den faulen Hund während niemand zusah Straßenbahn Mai Äpfel
    war er's e-mail-frei so In und Groß""",
    "en": """a the fox jumped over lazy dogs while nobody was looking state-of-the-art isn't I it am may march
    mother's well-known co-operate naïve So In Then to from in on""",
    "ru": """быстрая лиса прыгнула через ленивую собаку пока никто не смотрел кто-нибудь как-то Она в на и с у
    мая объём Мир""",
}


@pytest.mark.parametrize(("language", "source", "spoken"), CASES, ids=lambda value: value[:40])
def test_a_case_of_the_table_is_read_aloud(language: str, source: str, spoken: str) -> None:
    assert normalize(source, language).text == spoken


def test_the_table_has_hundreds_of_cases() -> None:
    assert len(CASES) > 600
    assert len(set(CASES)) == len(CASES)


@pytest.mark.parametrize(("language", "source", "spoken"), CASES, ids=lambda value: value[:40])
def test_spans_cover_the_source_in_order(language: str, source: str, spoken: str) -> None:
    found = normalize(source, language)
    at = said = 0
    for token in found.tokens:
        assert at <= token.source.first < token.source.end <= len(source)
        assert said <= token.spoken.first <= token.spoken.end <= len(spoken)
        copied = source[at : token.source.first]
        assert found.text[said : token.spoken.first].strip() == copied.strip()
        at, said = token.source.end, token.spoken.end
        assert found.source_of(token.spoken) == token.source
    assert found.text[said:].strip() == source[at:].strip()


@st.composite
def prose(draw: st.DrawFn) -> tuple[str, str]:
    language = draw(st.sampled_from(sorted(PROSE)))
    words = draw(st.lists(st.sampled_from(PROSE[language].split()), min_size=1, max_size=30))
    ends = draw(st.lists(st.sampled_from([" ", ", ", "; ", " — ", "? "]), min_size=30, max_size=30))
    return language, "".join(word + end for word, end in zip(words, ends, strict=False))


@given(prose())
def test_plain_prose_stays_as_it_is(case: tuple[str, str]) -> None:
    language, text = case
    assert normalize(text, language).text == text


@example("@I²", "en")
@example("$x\\sqrt", "en")
@example("\\begin{align}{{\\begin{align}x\\sqrt€5", "en")
@given(st.text(alphabet="aя5$.,\\^_{}() -/:#@%°€№½²√I\n", max_size=60), st.sampled_from(["de", "en", "ru"]))
def test_no_word_is_lost_and_nothing_fails(noise: str, language: str) -> None:
    text = f"alpha {noise} omega"
    found = normalize(text, language)
    assert found.text.startswith("alpha")
    assert found.text.endswith("omega")
    covered = [token.source for token in found.tokens]
    for word in re.finditer(r"[^\W\d_]+", text):
        span = Span(*word.span())
        assert word.group() in found.text or any(token.overlaps(span) for token in covered)


@pytest.mark.parametrize("source", ["It is five dollars.", "В двадцатом году.", "x squared"])
def test_what_was_said_is_said_again(source: str) -> None:
    for language in ("de", "en", "ru"):
        assert normalize(source, language).text == source


@pytest.mark.parametrize(("language", "source", "spoken"), CASES[::7], ids=lambda value: value[:40])
def test_an_unknown_language_leaves_everything(language: str, source: str, spoken: str) -> None:
    found = normalize(source, "xx")
    assert found.text == source
    assert not found.tokens


def seconds_for(text: str) -> float:
    """Processor time of the better of two passes."""
    times: list[float] = []
    for _ in range(2):
        start = time.process_time()
        normalize(text, "en")
        times.append(time.process_time() - start)
    return min(times)


@pytest.mark.parametrize(
    "unit", ["\\", "$", ".", "1", "(", "\\(", "$a ", "{", "x^", "1-", "a@", "#", "http://"]
)
def test_time_grows_with_the_length_of_hostile_texts(unit: str) -> None:
    short, long = (seconds_for(unit * (size // len(unit))) for size in (800, 3_200))
    assert long < 12 * max(short, 1e-3), (short, long)


def test_a_megabyte_of_backslashes_is_read_in_seconds() -> None:
    start = time.process_time()
    normalize("\\" * 1_000_000, "en")
    assert time.process_time() - start < 20


def test_the_document_shows_what_is_said() -> None:
    rows = re.findall(r"^\| `(.+?)` \| .*? \| (.+?) \|$", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(rows) > 30
    for source, spoken in rows:
        german = re.search("[äöüß]|Uhr|Komma", source + spoken)
        language = "ru" if re.search("[а-яё]", spoken) else "de" if german else "en"
        assert normalize(source.replace("\\|", "|"), language).text == spoken
