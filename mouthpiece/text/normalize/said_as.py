"""Words that markup says how to read: as a date in some order, as digits, as money.

What does not fit what it is said to be is read as usual; the caller tells.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Callable, Mapping, Sequence

from mouthpiece.text.normalize.language import Language
from mouthpiece.text.normalize.numbers import roman
from mouthpiece.text.normalize.scanner import scan
from mouthpiece.text.normalize.token import Kind, Place

Reader = Callable[[str, str, Language, Place], str]
"""What a text is read as, in a format that may be empty, in its place; empty when it is none of that kind."""

DATE_FORMATS = frozenset(("dmy", "mdy", "ymd", "ydm", "dm", "md", "my", "ym", "d", "m", "y"))
TIME_FORMATS = frozenset(("hms12", "hms24"))
_COUNTRY_CODE = re.compile("[0-9]{1,3}")
_CURRENCY_CODE = re.compile("[A-Z]{3}")


def format_of(meaning: str, written: str) -> str | None:
    """The format of a meaning in its usual spelling; ``None`` when there is no such format."""
    if not written:
        return ""
    if meaning == "date":
        order = re.sub(r"(.)\1*", r"\1", re.sub("[^a-z]", "", written.lower()))
        return order if order in DATE_FORMATS else None
    if meaning == "time":
        return written if written in TIME_FORMATS else None
    known = {"telephone": _COUNTRY_CODE, "currency": _CURRENCY_CODE}.get(meaning)
    return written if known and known.fullmatch(written) else None


def said_as(meaning: str, written: str, text: str, language: Language, place: Place) -> str:
    """A text read as something; empty when it is none of that kind. ``written`` is the format."""
    return READERS[meaning](" ".join(text.split()), format_of(meaning, written) or "", language, place)


# Characters and numbers ------------------------------------------------------------------------------------


def _characters(text: str, _: str, language: Language, __: Place) -> str:
    return " ".join(_character(char, language) for char in text if not char.isspace())


def _character(char: str, language: Language) -> str:
    if char in "0123456789":
        return language.cardinal(int(char))
    if char.isalpha():
        return language.spelled(char)
    words = language.words
    signs = {
        ".": words.dot,
        "/": words.slash,
        "-": words.dash,
        "_": words.underscore,
        ":": words.colon,
        "@": words.at,
    }
    return signs.get(char) or language.symbols.get(char, char)


def _digits(text: str, _: str, language: Language, __: Place) -> str:
    return ", ".join(language.digits(group) for group in re.findall("[0-9]+", text))


_NOT_IN_PHONES = re.compile(r"[^0-9A-Za-z+()\s./\-*#]")


def _telephone(text: str, country: str, language: Language, _: Place) -> str:
    """Groups of digits with rests between them; letters, as in "1-800-CALL", are spelled."""
    if _NOT_IN_PHONES.search(text) or not re.search("[0-9]", text):
        return ""
    groups = re.findall(r"[0-9]+|[A-Za-z]+|[*#]", text)
    spoken = [_phone_group(group, language) for group in ([country] if country else []) + groups]
    plus = f"{language.words.plus} " if country or text.startswith("+") else ""
    return plus + ", ".join(spoken)


def _phone_group(group: str, language: Language) -> str:
    if group.isdecimal():
        return language.digits(group)
    return language.spelled(group.upper()) if group.isalpha() else language.symbols.get(group, group)


def _cardinal(text: str, _: str, language: Language, place: Place) -> str:
    sign, digits = (text[0], text[1:]) if text[:1] in "-−–+" else ("", text)
    found = language.numbers.match(digits, 0)
    if not found or found[1] != len(digits):
        value = roman(text)
        return language.cardinal(value) if value else ""
    prefix = {"": "", "+": language.words.plus}.get(sign, language.words.minus)
    return f"{prefix} {language.number(found[0], place)}".strip()


def _ordinal(text: str, _: str, language: Language, place: Place) -> str:
    found = re.fullmatch(r"([0-9][0-9., ]{0,14})[-.]?([^\W\d_]{0,3})\.?", text)
    value = int(re.sub("[., ]", "", found[1])) if found else roman(text)
    if not value and not found:
        return ""
    return language.ordinal(value, found[2].lower() if found else "", place)


_FRACTION = re.compile(r"(?:([0-9]{1,6})[ +])?([0-9]{1,6}) ?[/⁄] ?([0-9]{1,6})")


def _fraction(text: str, _: str, language: Language, __: Place) -> str:
    found = _FRACTION.fullmatch(text)
    if not found:
        return _as_usual(text, language, (Kind.FRACTION,))
    whole = int(found[1]) if found[1] else None
    top, bottom = int(found[2]), int(found[3])
    over = f"{language.cardinal(top)} {language.words.slash} {language.cardinal(bottom)}"
    return language.fraction(top, bottom, whole) or ("" if whole is not None else over)


def _as_usual(text: str, language: Language, kinds: Sequence[Kind]) -> str:
    """A text that is one token of such a kind anyway."""
    tokens = list(scan(text, language))
    whole = len(tokens) == 1 and len(tokens[0].source) == len(text) and tokens[0].kind in kinds
    return tokens[0].spoken if whole else ""


def _currency(text: str, code: str, language: Language, _: Place) -> str:
    candidates = (f"{code} {text}", f"{text} {code}") if code else (text,)
    return _first(candidates, language, (Kind.MONEY,))


def _unit(text: str, _: str, language: Language, __: Place) -> str:
    return _first((text, text.replace(" ", "")), language, (Kind.MEASURE, Kind.PERCENT))


def _first(candidates: Sequence[str], language: Language, kinds: Sequence[Kind]) -> str:
    return next(filter(None, (_as_usual(text, language, kinds) for text in candidates)), "")


# Dates and times -------------------------------------------------------------------------------------------

_PARTS = {"y": "([0-9]{4}|[0-9]{2})", "m": "([0-9]{1,2})", "d": "([0-9]{1,2})"}
_SOLID = {"y": "([0-9]{4})", "m": "([0-9]{2})", "d": "([0-9]{2})"}
_CENTURY_TURNS = 70
"""Two digits below this are of this century."""


def _date(text: str, order: str, language: Language, place: Place) -> str:
    if not order:
        return _as_usual(text, language, (Kind.DATE,)) or _date_of_digits(text, language, place)
    for parts, mark in ((_PARTS, r"[-./ ]{1,2}"), (_SOLID, "")):
        if found := re.fullmatch(mark.join(parts[part] for part in order) + r"\.?", text):
            return _date_in_words(dict(zip(order, map(int, found.groups()), strict=True)), language, place)
    return ""


def _date_of_digits(text: str, language: Language, place: Place) -> str:
    """ "20240501"."""
    return _date(text, "ymd", language, place) if re.fullmatch("[0-9]{8}", text) else ""


def _date_in_words(parts: Mapping[str, int], language: Language, place: Place) -> str:
    day, month, year = parts.get("d"), parts.get("m"), parts.get("y")
    if year is not None and year < 100:
        year += 2000 if year < _CENTURY_TURNS else 1900
    if month is not None and not 1 <= month <= 12:
        return ""
    if day is not None and not 1 <= day <= monthrange(year or 2000, month or 1)[1]:
        return ""
    if month is None:
        return language.ordinal(day, "", place) if day is not None else language.years([year or 0], place)
    if day is not None:
        order = list(parts)
        return language.date(day, month, year, place, month_first=order.index("m") < order.index("d"))
    name = str(language.locale.months["stand-alone"]["wide"][month])
    return name if year is None else language.month_of_year(name, year, place)


_CLOCK = re.compile(r"([01]?[0-9]|2[0-4])[:.h]([0-5][0-9])(?:[:.]([0-5][0-9]))?(?: ?([AaPp])\.?[Mm]\.?)?")


_FULL_HOUR = " o'clock"


def _time(text: str, hours: str, language: Language, place: Place) -> str:
    found = _CLOCK.fullmatch(text)
    if not found:
        return "" if hours == "hms24" else _as_usual(text, language, (Kind.TIME,))
    hour, half = int(found[1]), found[4]
    if (half and not 1 <= hour <= 12) or (half and hours == "hms24"):
        return ""
    if language.tag != "en" and half:
        hour, half = hour % 12 + 12 * (half in "Pp"), ""
    elif language.tag == "en" and hours == "hms12" and not half:
        hour, half = (hour - 1) % 12 + 1, "p" if 12 <= hour < 24 else "a"
    spoken = language.time(hour, int(found[2]), int(found[3]) if found[3] else None, place)
    if not half:
        return spoken
    return f"{spoken.removesuffix(_FULL_HOUR)} {language.spelled(half.upper() + 'M')}"


READERS: Mapping[str, Reader] = {
    "cardinal": _cardinal,
    "characters": _characters,
    "currency": _currency,
    "date": _date,
    "digits": _digits,
    "fraction": _fraction,
    "number": _cardinal,
    "ordinal": _ordinal,
    "spell-out": _characters,
    "telephone": _telephone,
    "time": _time,
    "unit": _unit,
}
"""By the values of ``interpret-as``."""
