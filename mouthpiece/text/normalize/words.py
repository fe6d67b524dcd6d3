"""Words that are not read as they are written: abbreviations, initialisms, letters with digits."""

from __future__ import annotations

import re
from collections.abc import Iterator

from mouthpiece.text.normalize.source import Source
from mouthpiece.text.normalize.token import Kind, Token, word_at

_LONGEST_ABBREVIATION = 9
_DOTTED = re.compile(r"(?:[^\W\d_]{1,3}\.[ \u00a0]?){2,4}|[^\W\d_]{1,6}(?:\.|-[^\W\d_]{1,3}(?!\w))")
_STREET = re.compile(r"[A-ZÄÖÜ][a-zäöüß]{2,20}str\.(?= \d)")


def street(source: Source, at: int) -> Token | None:
    """ "Hauptstr. 5"."""
    found = _STREET.match(source.text, at) if source.language.tag == "de" else None
    if not found:
        return None
    return source.token(at, found.end(), f"{found.group()[:-1]}aße", Kind.ABBREVIATION)


_ADDRESS = re.compile(r"\d[ ](?:[^\W\d_]+[ ]){1,2}$")
_CAPITALS = re.compile(r"[^\W\d_]{2,6}(?P<plural>s?)(?![\w])")
_MIXED = re.compile(r"(?=[^\W_]*\d)(?=[^\W_]*[^\W\d_])[^\W_]{2,24}(?!\w)")
_RUNS = re.compile(r"\d+|[^\W\d_]+")
_VOWELS = frozenset("AEIOUYАЕЁИОУЫЭЮЯÄÖÜ")
_CHAT = {"B2B": "B to B", "B2C": "B to C", "C2C": "C to C", "D2C": "D to C", "P2P": "P to P", "G2G": "G to G"}
_CHAT_RUSSIAN = {
    "3D": "три дэ",
    "2D": "два дэ",
    "B2B": "би ту би",
    "B2C": "би ту си",
    "C2C": "си ту си",
    "D2C": "ди ту си",
    "P2P": "пи ту пи",
}


def abbreviation(source: Source, at: int) -> Token | None:
    """ "Dr.", "т. е.", "г-н": with the stop, unless that also ends the sentence."""
    found = _DOTTED.match(source.text, at)
    if not found:
        return None
    for written in _dotted_beginnings(found.group().rstrip(" \u00a0")):
        token = _expanded(source, at, written)
        if token:
            return token
    return None


def _dotted_beginnings(text: str) -> Iterator[str]:
    """All of it, and what of it ends in a stop, the longest first."""
    yield text
    for end in range(len(text) - 1, 0, -1):
        if text[end - 1] == ".":
            yield text[:end]


def _expanded(source: Source, at: int, written: str) -> Token | None:
    known = source.language.abbreviations
    entry = known.get(written.lower().replace("\u00a0", " ")) or known.get(written.lower().rstrip("."))
    if entry is None or not written:
        return None
    if not written.endswith(".") and "-" not in written:
        return None
    end = at + len(written)
    following = source.text[end : end + 2].lstrip(" \u00a0")[:1]
    named = (
        following.isupper()
        and source.char(end).isspace()
        and not _ADDRESS.search(source.text[max(0, at - 40) : at])
    )
    if entry.before == "name" and not named:
        spoken = source.language.abbreviation(written, source.place(at, end))
        kept = source.keeps_stop(end)
        return source.token(at, end - kept, spoken, Kind.ABBREVIATION) if spoken else None
    if entry.before == "number" and not following.isdecimal():
        return None
    keeps = written.endswith(".") and not (entry.before or entry.within) and source.keeps_stop(end)
    return source.token(at, end - keeps, entry.spoken, Kind.ABBREVIATION)


def initialism(source: Source, at: int) -> Token | None:
    """Capital letters that are spelled: known ones, and those without a vowel. Not amid shouted words."""
    found = _CAPITALS.match(source.text, at)
    if not found:
        return None
    word = found.group()
    core = word[:-1] if word.endswith("s") else word
    if not core.isupper() or len(core) < 2:
        return None
    known = core in source.language.initialisms
    if not known and (not _VOWELS.isdisjoint(core) or _shouted(source, at, found.end())):
        return None
    plural = "s" if word != core else ""
    return source.token(
        at, found.end(), source.language.spelled(core) + (f"'{plural}" if plural else ""), Kind.INITIALISM
    )


def _shouted(source: Source, first: int, end: int) -> bool:
    place = source.place(first, end)
    after = word_at(source.text, end)
    before = source.text[max(0, first - 40) : first].split()[-1:] or [""]
    earlier = before[0] if before[0][-1:].isalpha() else ""
    return (len(after) > 2 and after.isupper()) or (len(earlier) > 2 and earlier.isupper()) or not place.span


def alphanumeric(source: Source, at: int) -> Token | None:
    """Letters and digits in one: "mp3", "B2B", "4K", "Covid19"."""
    found = _MIXED.match(source.text, at)
    if not found:
        return None
    language, word = source.language, found.group()
    chat = (_CHAT_RUSSIAN if language.tag == "ru" else _CHAT).get(word.upper())
    spoken = chat or " ".join(_run(source, run) for run in _RUNS.findall(word))
    return source.token(at, found.end(), spoken, Kind.ALPHANUMERIC)


def _run(source: Source, run: str) -> str:
    language = source.language
    if run[0].isdecimal():
        long_or_zero = len(run) > 4 or (run[0] == "0" and len(run) > 1)
        return language.digits(run) if long_or_zero else language.cardinal(int(run))
    spelled = len(run) <= 4 and (run.isupper() or _VOWELS.isdisjoint(run.upper()))
    return language.spelled(run) if spelled and len(run) <= 4 else run


_CODEC = re.compile(r"([A-Z])\.(\d{2,4})(?![\w.])")


def codec(source: Source, at: int) -> Token | None:
    """ "H.264": a letter and its number."""
    found = _CODEC.match(source.text, at)
    if not found or not (at == 0 or source.ends_word(at - 1)):
        return None
    language = source.language
    return source.token(
        at,
        found.end(),
        f"{language.spelled(found[1])} {language.cardinal(int(found[2]))}",
        Kind.ALPHANUMERIC,
    )


_DIGITS_WITH_DOTS = re.compile(r"v?(\d{1,5}(?:\.\d{1,5}){2,6})(?![\w]|\.\d)")


_GROUPED = re.compile(r"[1-9]\d{0,2}(?:(?:\.\d{3}){2}|(?:\.\d{3}){4})")
"""A number as Germans write it; with three stops it is an address of the internet."""


def version(source: Source, at: int) -> Token | None:
    """ "1.2.3", "192.168.0.1"."""
    found = _DIGITS_WITH_DOTS.match(source.text, at)
    if not found:
        return None
    language = source.language
    if language.stop_makes_ordinals and _GROUPED.fullmatch(found[1]):
        return None
    parts = [language.cardinal(int(part)) for part in found[1].split(".")]
    return source.token(at, found.end(), f" {language.words.dot} ".join(parts), Kind.NUMBER)
