"""What normalisation is about: a stretch of the source, what a person says for it, and why."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum

from mouthpiece.core.timeline import Span


class Kind(Enum):
    """Classes of what is not written as it is said."""

    NUMBER = "number"
    ORDINAL = "ordinal"
    FRACTION = "fraction"
    RANGE = "range"
    PERCENT = "percent"
    MONEY = "money"
    MEASURE = "measure"
    DATE = "date"
    TIME = "time"
    PHONE = "phone"
    ROMAN = "roman"
    ABBREVIATION = "abbreviation"
    INITIALISM = "initialism"
    ALPHANUMERIC = "alphanumeric"
    ADDRESS = "address"
    HASHTAG = "hashtag"
    EMOJI = "emoji"
    SYMBOL = "symbol"
    MATHS = "maths"
    CHEMISTRY = "chemistry"
    ALIAS = "alias"
    """Somebody said how: the pronunciation dictionary, or markup."""


@dataclass(frozen=True, slots=True)
class Token:
    """A stretch of the text, in code points, that is said otherwise than it is written."""

    source: Span
    spoken: str
    kind: Kind


@dataclass(frozen=True, slots=True)
class Place:
    """Where a recogniser looks, and the words around it, which decide gender, case and doubt."""

    text: str
    first: int
    end: int

    @property
    def before(self) -> str:
        """The word right before, without its capitals; empty at the start of a clause."""
        return _word_before(self.text, self.first).lower()

    @property
    def after(self) -> str:
        """The word right after, without its capitals; empty at the end of a clause."""
        return word_at(self.text, self.end).lower()

    @property
    def span(self) -> Span:
        """The stretch itself."""
        return Span(self.first, self.end)

    def until(self, end: int) -> Place:
        """The same start with another end."""
        return Place(self.text, self.first, end)


def merged(found: Iterable[Token], decided: Iterable[Token]) -> Iterator[Token]:
    """Both in order, each asked for when it is due; what overlaps a decided token gives way."""
    waiting = iter(decided)
    due = next(waiting, None)
    for token in found:
        while due and due.source.end <= token.source.first:
            yield due
            due = next(waiting, None)
        if not (due and due.source.overlaps(token.source)):
            yield token
    if due:
        yield due
    yield from waiting


_REACH = 40
_SPACES = "  \t \N{NARROW NO-BREAK SPACE}"
_COMPARING = "<>≤≥~≈"
_OPENERS = "(«\"“„'"


def _word_before(text: str, at: int) -> str:
    if at and text[at - 1] in _COMPARING:
        return text[at - 1]
    window = text[max(0, at - _REACH) : at].rstrip(_OPENERS)
    stripped = window.rstrip(_SPACES)
    if len(stripped) == len(window) and len(window) == min(at, _REACH):
        return ""
    first = len(stripped)
    while first and (stripped[first - 1].isalpha() or stripped[first - 1] in "-.’'"):
        first -= 1
    return stripped[first:].strip("-")


def word_at(text: str, at: int) -> str:
    """The word that begins at a position, or after the spaces there; empty when there is none."""
    window = text[at : at + _REACH].lstrip(_SPACES)
    end = 0
    while end < len(window) and (window[end].isalpha() or (window[end] in "-’'" and end)):
        end += 1
    return window[:end].rstrip("-’'")
