"""A text as a person would say it, and where in the source each part of it comes from."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from mouthpiece.core.timeline import Span
from mouthpiece.text.normalize.token import Kind, Token


@dataclass(frozen=True, slots=True)
class Spoken:
    """A token's place in the spoken text, and in the source."""

    spoken: Span
    source: Span
    kind: Kind


class _Stretch(NamedTuple):
    """A stretch of the spoken text: a token's, or one that is copied from the source."""

    first: int
    source: Span
    copied: bool


class Normalized:
    """The spoken text and its tokens; ``written`` is the text that it was made of, or of a stretch of it."""

    def __init__(self, written: str, tokens: Iterable[Token], stretch: Span | None = None) -> None:
        stretch = stretch or Span(0, len(written))
        self.written = written
        self.tokens: list[Spoken] = []
        self._stretches: list[_Stretch] = []
        self._parts: list[str] = []
        self._length = 0
        at = stretch.first
        for token in tokens:
            self._copy(Span(at, token.source.first))
            self._say(token)
            at = token.source.end
        self._copy(Span(at, stretch.end))
        self.text = "".join(self._parts)
        self._firsts = [stretch.first for stretch in self._stretches]
        self._sources = [stretch.source.first for stretch in self._stretches]

    def _copy(self, source: Span) -> None:
        if source:
            self._space_before(self.written[source.first])
            self._stretches.append(_Stretch(self._length, source, copied=True))
            self._append(self.written[source.first : source.end])

    def _say(self, token: Token) -> None:
        if token.spoken:
            self._space_before(token.spoken[0])
        first = self._length
        self._stretches.append(_Stretch(first, token.source, copied=False))
        self._append(token.spoken)
        self.tokens.append(Spoken(Span(first, self._length), token.source, token.kind))

    def _space_before(self, char: str) -> None:
        """Words that were told apart by signs are told apart by a space."""
        if self._parts and self._parts[-1] and self._parts[-1][-1].isalnum() and char.isalnum():
            self._append(" ")

    def _append(self, part: str) -> None:
        self._parts.append(part)
        self._length += len(part)

    def source_of(self, spoken: Span) -> Span:
        """The stretch of the source that a non-empty stretch of the spoken text stands for; whole tokens."""
        return Span(self._source_at(spoken.first).first, self._source_at(spoken.end - 1).end)

    def _source_at(self, at: int) -> Span:
        stretch = self._stretches[bisect_right(self._firsts, at) - 1]
        if not stretch.copied:
            return stretch.source
        first = min(stretch.source.first + at - stretch.first, stretch.source.end - 1)
        return Span(first, first + 1)

    def is_within_token(self, spoken: int) -> bool:
        """Whether a position of the spoken text, up to its end, has words of one token on both sides."""
        at = bisect_right(self._firsts, spoken) - 1
        return not self._stretches[at].copied and self._firsts[at] < spoken < self._end_of(at)

    def spoken_at(self, source: int) -> int:
        """Where in the spoken text a position of the source is said; for one within a token, its start."""
        index = bisect_right(self._sources, source) - 1
        if index < 0:
            return 0
        stretch = self._stretches[index]
        if stretch.copied:
            return stretch.first + min(source, stretch.source.end) - stretch.source.first
        return stretch.first if source < stretch.source.end else self._end_of(index)

    def _end_of(self, index: int) -> int:
        return self._firsts[index + 1] if index + 1 < len(self._firsts) else len(self.text)
