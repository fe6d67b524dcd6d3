"""Times of day, durations with colons, ratios."""

from __future__ import annotations

import re

from mouthpiece.text.normalize.source import Source
from mouthpiece.text.normalize.token import Kind, Token

_CLOCK = re.compile(r"([01]?\d|2[0-4]):([0-5]\d)(?::([0-5]\d))?(?!\d|:\d|[.,]\d)")
_CLOCKS = {
    "de": re.compile(
        r"([01]?\d|2[0-4])(?::|\.(?=\d\d[ \u00a0]Uhr\b))([0-5]\d)(?::([0-5]\d))?(?!\d|:\d|[.,]\d)"
    )
}
_SAID_ALREADY = {"de": re.compile(r"[ \u00a0]Uhr\b")}
"""What is written after a time and is a part of it when it is said."""
_HALF = re.compile(r"[ \u00a0]?(?:([ap])\.m\.|([AaPp])\.?[Mm]\b)")
_HOUR = re.compile(r"(1[0-2]|[1-9])(?=[ \u00a0]?(?:[ap]\.m\.|[AaPp][Mm]\b))")
_DASH = re.compile(r"[ \u00a0]?[-–—][ \u00a0]?")
_RATIO = re.compile(r"(\d{1,4}):(\d{1,4})(?![\d:])")


def time(source: Source, at: int) -> Token | None:
    """A time of day, or a range of two."""
    first = _time(source, at)
    if first is None:
        return _ratio(source, at)
    dash = _DASH.match(source.text, first.source.end)
    last = _time(source, dash.end()) if dash else None
    if last is None:
        return first
    spoken = source.language.times_between(first.spoken, last.spoken)
    return source.token(at, last.source.end, spoken, Kind.TIME)


def _time(source: Source, at: int) -> Token | None:
    language = source.language
    found = _CLOCKS.get(language.tag, _CLOCK).match(source.text, at) or _HOUR.match(source.text, at)
    if not found:
        return None
    half = _HALF.match(source.text, found.end())
    place = source.place(at, half.end() if half else found.end())
    if found.re is _HOUR:
        spoken = language.cardinal(int(found[1]))
    else:
        second = int(found[3]) if found[3] else None
        spoken = language.time(int(found[1]), int(found[2]), second, place)
    if not half:
        word = (
            _SAID_ALREADY[language.tag].match(source.text, found.end())
            if language.tag in _SAID_ALREADY
            else None
        )
        return source.token(at, word.end() if word else found.end(), spoken, Kind.TIME)
    end = half.end() - (half.group().endswith(".") and source.keeps_stop(half.end()))
    letter = (half[1] or half[2]).upper()
    spoken = spoken.removesuffix(" o'clock")
    return source.token(at, end, f"{spoken} {language.spelled(letter + 'M')}", Kind.TIME)


def _ratio(source: Source, at: int) -> Token | None:
    found = _RATIO.match(source.text, at)
    if not found:
        return None
    language = source.language
    place = source.place(at, found.end())
    spoken = language.ratio(int(found[1]), int(found[2]), place)
    return source.token(at, found.end(), spoken, Kind.RANGE)
