"""How parts of a text are to be said: faster, higher, louder, with emphasis.

A change of delivery stands in the text right before the word with which it begins, as a run of private
characters of fixed length, so that it passes through everything that only looks at letters. Who can follow it
does; for others `without_delivery` leaves as many spaces.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum

from mouthpiece.core.timeline import Span

SLOWEST, FASTEST = 0.5, 2.5
"""Rates, 1 being the voice's own."""
LOWEST, HIGHEST = -5.0, 9.0
"""Semitones from the voice's own pitch."""
SOFTEST, LOUDEST = -40.0, 12.0
"""Decibels from the voice's own loudness; the softest stands for silence."""


class Emphasis(IntEnum):
    """How much weight words have."""

    NONE = 0
    REDUCED = 1
    MODERATE = 2
    STRONG = 3


@dataclass(frozen=True, slots=True)
class Delivery:
    """Rate as a factor, pitch in semitones, volume in decibels, and emphasis."""

    rate: float = 1.0
    pitch: float = 0.0
    volume: float = 0.0
    emphasis: Emphasis = Emphasis.NONE

    @property
    def is_inflected(self) -> bool:
        """Whether a voice must do more than be louder or softer."""
        return (self.rate, self.pitch, self.emphasis) != (1.0, 0.0, Emphasis.NONE)


Change = tuple[int, Delivery]
"""From which place of a text on it is said how."""

_OPEN = "\ue003"
_ZERO = 0xE100
_MARK = re.compile(f"{_OPEN}[\ue100-\ue4ff]{{4}}")
MARK_LENGTH = 5
PRIVATE = range(0xE003, 0xE500)
"""Characters that marks are made of, which no text of somebody else may have."""

DELIVERED = re.compile(f"{_OPEN}(?P<delivery>[\ue100-\ue4ff]{{4}})")
"""A change within a text."""


def with_delivery(text: str, changes: Iterable[Change]) -> str:
    """A text with its changes in it."""
    parts: list[str] = []
    at = 0
    for place, delivery in changes:
        parts += (text[at:place], _OPEN, *(chr(_ZERO + number) for number in _numbers(delivery)))
        at = place
    return "".join((*parts, text[at:]))


def without_delivery(text: str) -> str:
    """A text with spaces in place of changes, as long as it is."""
    return _MARK.sub(" " * MARK_LENGTH, text)


def changes_in(text: str) -> Iterator[Change]:
    """The changes within a text, each with the place right behind it."""
    for found in DELIVERED.finditer(text):
        yield found.end(), delivery_of(found["delivery"])


def delivery_of(mark: str) -> Delivery:
    """What the four characters of a mark say."""
    rate, pitch, volume, emphasis = (ord(char) - _ZERO for char in mark)
    return Delivery(rate / 100, pitch / 10 + LOWEST, volume / 10 + SOFTEST, Emphasis(emphasis))


def _numbers(delivery: Delivery) -> tuple[int, ...]:
    return (
        round(delivery.rate * 100),
        round((delivery.pitch - LOWEST) * 10),
        round((delivery.volume - SOFTEST) * 10),
        delivery.emphasis,
    )


def place_in_text(said: int, changes: Sequence[Change]) -> int:
    """The place in a text that a place in the same text with its changes stands for."""
    firsts = [place + MARK_LENGTH * number for number, (place, _) in enumerate(changes)]
    before = bisect_left(firsts, said)
    inside = max(0, firsts[before - 1] + MARK_LENGTH - said) if before else 0
    return said + inside - MARK_LENGTH * before


def span_in_text(said: Span, changes: Sequence[Change]) -> Span:
    """The same of a stretch."""
    return Span(place_in_text(said.first, changes), place_in_text(said.end, changes))
