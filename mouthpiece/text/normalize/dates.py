"""Days of months and years, in the orders and with the marks that people use."""

from __future__ import annotations

import re
from calendar import monthrange

from mouthpiece.text.normalize.source import Source
from mouthpiece.text.normalize.tables import words_of
from mouthpiece.text.normalize.token import Kind, Token

_ISO = re.compile(r"(\d{4})-(\d{2})-(\d{2})(?![\w-])")
_NUMERIC = re.compile(r"(\d{1,2})([./-])(\d{1,2})\2(\d{4}|\d{2})(?![\w/-])(?!\.\d)")
_DAY = re.compile(r"(\d{1,2})(?:st|nd|rd|th|-?го|-?е|\.)?[ \u00a0](?:of )?(?=[^\W\d_])")
_DAYS = re.compile(r"(\d{1,2})\.?(?:[-–—]| по | до )(?=\d{1,2}\.?[ \u00a0][^\W\d_])")
_NO_YEAR = re.compile(r"(\d{1,2})\.(\d{1,2})\.(?![\w.])")
_MONTH = re.compile(r"([^\W\d_]{3,9})\.?")
_WHOLE = frozenset(
    words_of("may march april june july märz mai juni juli май мая мае март июнь июня июне июль июля июле")
)
_YEAR_OF_DATE = re.compile(r",?[ \u00a0](\d{4})(?!\w)(?![.,]\d)(?P<era>[ \u00a0]?(?:года?\b|г\.))?")
_DAY_OF_DATE = re.compile(r"[ \u00a0](\d{1,2})(?:st|nd|rd|th)?(?!\w|[.:]\d)")


def date(source: Source, at: int) -> Token | None:
    """A date that begins with a digit."""
    return _iso(source, at) or _numeric(source, at) or _day_first(source, at) or _without_year(source, at)


def _iso(source: Source, at: int) -> Token | None:
    found = _ISO.match(source.text, at)
    if not found:
        return None
    return _date(source, at, found.end(), int(found[3]), int(found[2]), int(found[1]), month_first=True)


def _numeric(source: Source, at: int) -> Token | None:
    found = _NUMERIC.match(source.text, at)
    if not found:
        return None
    one, other, year = int(found[1]), int(found[3]), int(found[4])
    if len(found[4]) == 2:
        if found[2] == "-":
            return None
        year += 2000 if year < 70 else 1900
    months_first = found[2] == "/" and not source.language.days_first
    month, day = (one, other) if months_first and one <= 12 else (other, one)
    return _date(source, at, found.end(), day, month, year, month_first=months_first)


def _day_first(source: Source, at: int) -> Token | None:
    days = _DAYS.match(source.text, at)
    if days:
        return _days(source, at, days)
    found = _DAY.match(source.text, at)
    if not found:
        return None
    month, end = _month(source, found.end())
    if not month:
        return None
    year, end, _ = _year(source, end)
    return _date(source, at, end, int(found[1]), month, year, month_first=False)


def _without_year(source: Source, at: int) -> Token | None:
    """ "am 1.5.", where people write so."""
    found = _NO_YEAR.match(source.text, at) if source.language.stop_makes_ordinals else None
    if not found:
        return None
    end = found.end() - source.keeps_stop(found.end())
    return _date(source, at, end, int(found[1]), int(found[2]), None, month_first=False)


def _days(source: Source, at: int, days: re.Match[str]) -> Token | None:
    """ "5-7 May", "5 по 7 мая": the first day alone, then the date."""
    last = _day_first(source, days.end())
    if last is None or not 1 <= int(days[1]) <= 31:
        return None
    place = source.place(at, last.source.end)
    spoken = source.language.days(int(days[1]), last.spoken, place)
    return source.token(at, last.source.end, spoken, Kind.DATE)


def month_first(source: Source, at: int) -> Token | None:
    """A date that begins with the name of a month: "May 5, 2024", "May 2024"."""
    month, end = _month(source, at)
    if not month:
        return None
    name = source.text[at:end]
    day = _DAY_OF_DATE.match(source.text, end) if source.language.tag == "en" else None
    if day and name[0].isupper():
        year, after, _ = _year(source, day.end())
        return _date(source, at, after, int(day[1]), month, year, month_first=True)
    year, after, era = _year(source, end)
    if year is None or not 1000 <= year <= 2100:
        return None
    if era:
        after = end + len(_leading(source, end))
    spoken_year = source.language.year(year, source.place(at, after))
    full = source.language.month_name(month, name.rstrip("."))
    return source.token(at, after, f"{full} {spoken_year}", Kind.DATE)


def _leading(source: Source, at: int) -> str:
    found = _YEAR_OF_DATE.match(source.text, at)
    assert found is not None
    return found.group()[: found.end(1) - found.start()]


def _month(source: Source, at: int) -> tuple[int, int]:
    """The number of the month named at ``at``, 0 for none, and where its name ends."""
    found = _MONTH.match(source.text, at)
    month = source.language.months.get(found[1].lower(), 0) if found else 0
    if not found or not month:
        return 0, at
    whole = found[1].lower() in _WHOLE or len(found[1]) > 5 or source.keeps_stop(found.end())
    short = found.group().endswith(".") and not whole
    return month, found.end() if short else found.end(1)


def _year(source: Source, at: int) -> tuple[int | None, int, bool]:
    found = _YEAR_OF_DATE.match(source.text, at)
    if not found or not 1000 <= int(found[1]) <= 2200:
        return None, at, False
    era = found["era"] or ""
    end = found.end() - source.keeps_stop(found.end()) if era.endswith(".") else found.end()
    return int(found[1]), end, bool(era)


def _date(
    source: Source, at: int, end: int, day: int, month: int, year: int | None, *, month_first: bool
) -> Token | None:
    if not 1 <= month <= 12 or not 1 <= day <= monthrange(year or 2000, month)[1]:
        return None
    spoken = source.language.date(day, month, year, source.place(at, end), month_first=month_first)
    return source.token(at, end, spoken, Kind.DATE)


_WEEKDAYS = {
    "de": "Mo=Montag Di=Dienstag Mi=Mittwoch Do=Donnerstag Fr=Freitag Sa=Samstag So=Sonntag",
    "en": """Mon=Monday Tue=Tuesday Tues=Tuesday Wed=Wednesday Thu=Thursday Thur=Thursday Thurs=Thursday
        Fri=Friday Sat=Saturday Sun=Sunday""",
    "ru": "пн=понедельник вт=вторник ср=среда чт=четверг пт=пятница сб=суббота вс=воскресенье",
}
_DAY_NAMES = {tag: dict(entry.split("=") for entry in names.split()) for tag, names in _WEEKDAYS.items()}
_NAMED_DAYS = {
    tag: re.compile(
        rf"(?P<first>{(names := '|'.join(table))})(?:\.?[ \u00a0]?[-–—][ \u00a0]?(?P<last>{names})(?!\w)\.?"
        r"|\.(?=,? ?\d|,)|(?=, \d))"
    )
    for tag, table in _DAY_NAMES.items()
}


def weekday(source: Source, at: int) -> Token | None:
    """ "Mon., Jan. 8", "Mo–Fr"."""
    language = source.language
    pattern = _NAMED_DAYS.get(language.tag)
    found = pattern.match(source.text, at) if pattern else None
    if not found or (found["first"] == "So" and not found["last"] and not found.group().endswith(".")):
        return None
    names = _DAY_NAMES[language.tag]
    first = language.weekday(names[found["first"]], source.place(at, found.end()))
    if not found["last"]:
        return source.token(at, found.end(), first, Kind.DATE)
    end = found.end() - (found.group().endswith(".") and source.keeps_stop(found.end()))
    return source.token(at, end, language.times_between(first, names[found["last"]]), Kind.DATE)


_ERA = re.compile(r"(\d{3,4})(?:[-–—](\d{3,4}))?[ \u00a0]?(гг?)\.")


def year_of_era(source: Source, at: int) -> Token | None:
    """ "2020 г.", "1941–1945 гг."."""
    found = _ERA.match(source.text, at)
    if not found or source.language.tag != "ru" or not 300 <= int(found[1]) <= 2200:
        return None
    end = found.end() - source.keeps_stop(found.end())
    years = [int(year) for year in (found[1], found[2]) if year]
    return source.token(at, end, source.language.years(years, source.place(at, end)), Kind.DATE)


_DECADES = {
    "de": re.compile(r"(\d{2}|\d{4})er(?!\w)"),
    "en": re.compile(r"(?:'|’)?(\d{2}|\d{4})'?s(?!\w)"),
}


def decade(source: Source, at: int) -> Token | None:
    """ "1990s", "'90s", "1990er"."""
    pattern = _DECADES.get(source.language.tag)
    found = pattern.match(source.text, at) if pattern else None
    if not found or not found[1].endswith("0"):
        return None
    spoken = source.language.decade(int(found[1]))
    return source.token(at, found.end(), spoken, Kind.DATE)
