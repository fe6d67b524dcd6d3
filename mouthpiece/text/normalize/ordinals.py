"""Ordinals, Roman numerals, fractions of a whole, numbers of things."""

from __future__ import annotations

import re
import unicodedata

from mouthpiece.text.normalize.numbers import roman
from mouthpiece.text.normalize.source import Source
from mouthpiece.text.normalize.tables import words_of
from mouthpiece.text.normalize.token import Kind, Token
from mouthpiece.text.normalize.units import match_unit

_ENGLISH = re.compile(r"(\d{1,12}|\d{1,3}(?:,\d{3}){1,4})(st|nd|rd|th)(?!\w)", re.IGNORECASE)
_GERMAN = re.compile(r"(\d{1,4})(\.)(?=[ \u00a0][^\W\d_])")
_RUSSIAN = re.compile(
    r"(\d{1,12})-?(ый|ой|ий|ая|ья|ое|ье|ые|ие|ьи|ого|его|ому|ему|ую|ым|им|ом|ем|ых|их|ыми|ими|й|я|е|го|му|ю|м|х|ми|ти|ух|ёх|ех)(?!\w)"
)
_FRACTION = re.compile(r"(?:(\d{1,6})[ \u00a0])?(\d{1,4})[/⁄](\d{1,4})(?![\w/⁄]|[.,]\d)")
_VULGAR = re.compile(r"(\d{1,6})?[ \u00a0]?([¼-¾⅐-⅞])")
_NUMBERED = re.compile(r"(№+|§+|#)[ \u00a0]?(?=\d)")


def ordinal(source: Source, at: int) -> Token | None:
    """ "21st", "21-й"."""
    language = source.language
    pattern = {"de": _GERMAN, "en": _ENGLISH, "ru": _RUSSIAN}.get(language.tag)
    found = pattern.match(source.text, at) if pattern else None
    if not found:
        return None
    value = int(found[1].replace(",", ""))
    spoken = language.ordinal(value, found[2].lower(), source.place(at, found.end()))
    return source.token(at, found.end(), spoken, Kind.ORDINAL) if spoken else None


_PERCENTAGES = {
    **dict.fromkeys(("й", "ый"), "ый"),
    **dict.fromkeys(("я", "ая"), "ая"),
    **dict.fromkeys(("е", "ое"), "ое"),
    **dict.fromkeys(("го", "ого"), "ого"),
    **dict.fromkeys(("м", "ом"), "ом"),
    **dict.fromkeys(("ю", "ую"), "ую"),
    "ые": "ые",
    **dict.fromkeys(("х", "ых"), "ых"),
    "ой": "ой",
    "ым": "ым",
}
_PERCENTAGE = re.compile(r"(\d{1,3})[ \u00a0]?%-?н?(й|ый|я|ая|е|ое|го|ого|м|ом|ю|ую|ые|х|ых|ой|ым)(?!\w)")


def percentage(source: Source, at: int) -> Token | None:
    """ "20 %-й"."""
    found = _PERCENTAGE.match(source.text, at) if source.language.tag == "ru" else None
    if not found:
        return None
    spoken = f"{source.language.prefix(int(found[1]))}процентн{_PERCENTAGES[found[2]]}"
    return source.token(at, found.end(), spoken, Kind.PERCENT)


_COMPOUNDS = {
    "de": re.compile(r"(\d{1,3})-?(?=[a-zäöüß]{3})([a-zäöüß]+)(?!\w)"),
    "ru": re.compile(r"(\d{1,3})-(?=[а-яё]{3})([а-яё]+)(?!\w)"),
}


def compound(source: Source, at: int) -> Token | None:
    """ "20-летие", "20-jährig": a word that begins with a number."""
    pattern = _COMPOUNDS.get(source.language.tag)
    found = pattern.match(source.text, at) if pattern else None
    if not found:
        return None
    return source.token(at, found.end(), source.language.prefix(int(found[1])) + found[2], Kind.ORDINAL)


def fraction(source: Source, at: int) -> Token | None:
    """ "3/4", "2 1/2", "2½"."""
    return _slashed(source, at) or _vulgar(source, at)


def _slashed(source: Source, at: int) -> Token | None:
    found = _FRACTION.match(source.text, at)
    if not found:
        return None
    language = source.language
    if source.language.tag == "en" and found.group() == "9/11":
        return _slash(source, at, found)
    whole = int(found[1]) if found[1] else None
    top, bottom = int(found[2]), int(found[3])
    spoken = language.fraction(top, bottom, whole, source.place(at, found.end()).after)
    if not spoken and whole is None:
        return _slash(source, at, found)
    return _of_unit(source, at, found.end(), spoken, whole) if spoken else None


def _of_unit(source: Source, at: int, end: int, spoken: str, whole: int | None) -> Token:
    """A fraction, of a unit perhaps: "1/4 tsp"."""
    unit = match_unit(source.language, source.text, end)
    if not unit and _is_inches(source, at, end):
        return source.token(
            at, end + 1, f"{spoken} {'of an inch' if whole is None else 'inches'}", Kind.MEASURE
        )
    if not unit:
        return source.token(at, end, spoken, Kind.FRACTION)
    noun = source.language.parted(unit[0], whole is not None)
    return source.token(at, unit[1] - source.ends_text(unit[1]), f"{spoken} {noun}", Kind.MEASURE)


def _slash(source: Source, at: int, found: re.Match[str]) -> Token:
    """Two numbers that are no part of a whole: "24/7"."""
    language = source.language
    one, other = language.cardinal(int(found[2])), language.cardinal(int(found[3]))
    season = re.fullmatch(r"(?:1[89]|20)(\d\d)/(\d\d)", found.group())
    if season and int(season[2]) == (int(season[1]) + 1) % 100:
        years = language.season(int(found[2]), int(season[2]), source.place(at, found.end()))
        return source.token(at, found.end(), years, Kind.DATE)
    joint = language.even if one == other else language.words.slash
    joint = "" if found.group() in ("24/7", "9/11") else joint
    return source.token(at, found.end(), f"{one} {joint} {other}", Kind.FRACTION)


def _is_inches(source: Source, at: int, end: int) -> bool:
    """Whether a sign of inches follows, and not the end of a quotation."""
    opened = source.text[max(0, at - 200) : at].count('"') % 2
    return source.language.tag == "en" and source.char(end) in ('"', "″") and not opened


def _vulgar(source: Source, at: int) -> Token | None:
    found = _VULGAR.match(source.text, at)
    if not found:
        return None
    top, _, bottom = unicodedata.normalize("NFKC", found[2]).partition("⁄")
    noun = source.place(at, found.end()).after
    whole = int(found[1]) if found[1] else None
    spoken = source.language.fraction(int(top), int(bottom), whole, noun)
    return _of_unit(source, at, found.end(), spoken, whole) if spoken else None


def numbered(source: Source, at: int) -> Token | None:
    """The signs of number and section before a number, alone."""
    found = _NUMBERED.match(source.text, at)
    if not found or not (at == 0 or source.ends_word(at - 1)):
        return None
    words = source.language.words
    spoken = words.section if found[1][0] == "§" else words.number
    return source.token(
        at, found.end(1), f"{spoken} " if found.end() == found.end(1) else spoken, Kind.SYMBOL
    )


_ROMAN = re.compile(r"[IVXLCDM]{1,15}(?![\w])(?!\.[A-Z])")
_CENTURY = re.compile(r"(?:[-–—](?P<last>[IVXLCDM]{1,15}))?[ \u00a0]?(?P<centuries>вв?)\.")
_NOT_ROMAN = frozenset(
    words_of("I CV CD MD DC MC CC MIX DI MI CM MM LI XL IM CI DM DIM VI MD MV CL CC LCD ML DVD")
)


def roman_numeral(source: Source, at: int) -> Token | None:
    """A Roman numeral where one is to be expected."""
    found = _ROMAN.match(source.text, at)
    value = roman(found.group()) if found else 0
    if not found or not value:
        return None
    century = _CENTURY.match(source.text, found.end())
    if century and source.language.tag == "ru":
        return _centuries(source, at, value, century)
    for end in (_after_stop(source, found.end()), found.end()):
        spoken = source.language.roman(value, source.place(at, end), sure=found.group() not in _NOT_ROMAN)
        if spoken:
            return source.token(at, end, spoken, Kind.ROMAN)
    return None


def _after_stop(source: Source, end: int) -> int:
    """Where an ordinal ends, with its stop in languages that write one."""
    return end + (source.language.stop_makes_ordinals and source.char(end) == ".")


def _centuries(source: Source, at: int, value: int, found: re.Match[str]) -> Token:
    """ "XX в.", "XIX–XX вв."."""
    end = found.end() - source.keeps_stop(found.end())
    values = [value, roman(found["last"])] if found["last"] else [value]
    return source.token(at, end, source.language.centuries(values, source.place(at, end)), Kind.ROMAN)
