"""A text cut into passages to be spoken: normalised, of bounded length, each with its place in the source.

A long text is read as it is spoken, a stretch of sentences at a time, so that the first of them need not wait
for the last.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import takewhile

from mouthpiece.core.timeline import Span
from mouthpiece.text.delivery import Change, Delivery, span_in_text, with_delivery
from mouthpiece.text.normalize import Normalized, Token, tokens_of
from mouthpiece.text.script import Script
from mouthpiece.text.scripts import HAN, KANA, is_sounding, script_of
from mouthpiece.text.sentences import Ending, bounded, sentence_spans
from mouthpiece.text.ssml import Document

_MISLEADING = re.compile(r"[.!?…;:\s]")


@dataclass(frozen=True, slots=True)
class Passage:
    """A sentence or a part of one: what is said, and what it is said for."""

    text: str
    """What is said."""
    written: str
    """The part of the source that it stands for."""
    source: Span
    """Where that is, in code points."""
    ending: Ending
    normalized: Normalized
    first: int
    """Where ``text`` begins in the spoken text."""
    document: Document
    pause_ms: int | None = None
    """Length of the silence after it, where markup says so."""
    changes: tuple[Change, ...] = ()
    """Where in ``text`` its delivery changes, each time at the beginning of a word."""

    @property
    def said(self) -> str:
        """What is said, and how."""
        return with_delivery(self.text, self.changes)

    def source_of(self, said: Span) -> Span:
        """The stretch of the source that a non-empty stretch of ``said`` stands for."""
        spoken = span_in_text(said, self.changes)
        return self.document.place_of(self.normalized.source_of(spoken.shift(self.first)))


def as_it_is(text: str) -> Passage:
    """A text in words already, as one passage."""
    whole = Span(0, len(text))
    return Passage(text, text, whole, Ending.SENTENCE, Normalized(text, ()), 0, Script(text).document())


@dataclass(frozen=True, slots=True)
class Passages:
    """The passages of a script, in order; they hold everything in it that can be said.

    ``document`` is what the script says without its markup. They are found anew each time that one goes over
    them, and no further than one goes.
    """

    script: Script
    document: Document
    language: str

    def __iter__(self) -> Iterator[Passage]:
        document = self.document
        breaks = deque(document.breaks)
        opens = True
        for stretch in _stretches(self.script, document, self.language):
            for sentence, ending in stretch.sentences:
                for part, part_ending, pause in _between_breaks(stretch.masked, sentence, ending, breaks):
                    passages = list(_passages(self, stretch.normalized, part, part_ending, opens=opens))
                    yield from passages[:-1]
                    if passages:
                        yield replace(passages[-1], pause_ms=pause)
                        opens = False


_STRETCH = 600
"""Code points that are read at a time."""


@dataclass(frozen=True, slots=True)
class _Stretch:
    """Whole sentences, and the text up to their end with marks only where they are meant as marks."""

    sentences: list[tuple[Span, Ending]]
    normalized: Normalized
    masked: str


def _stretches(script: Script, document: Document, language: str) -> Iterator[_Stretch]:
    text = document.text
    reader = _Reader(text, tokens_of(text, language, script.decided(document, language)))
    at, size = 0, _STRETCH
    while at < len(text):
        reader.read(at + size)
        sentences = list(sentence_spans(reader.masked, language, at))
        if reader.is_done:
            yield _Stretch(sentences, reader.normalized(Span(at, len(text))), reader.masked)
            return
        if len(sentences) < 2:  # where the last one ends is not known yet
            size *= 2
            continue
        last, _ = sentences.pop()
        yield _Stretch(sentences, reader.normalized(Span(at, last.first)), reader.masked)
        at, size = last.first, _STRETCH


class _Reader:
    """Goes over a text, token by token.

    ``masked`` is the text as far as it is read, with digits in place of tokens whose marks or spaces
    would be taken for ends of sentences.
    """

    def __init__(self, text: str, tokens: Iterator[Token]) -> None:
        self.masked = ""
        self._text = text
        self._tokens = tokens
        self._read: deque[Token] = deque()
        self._next = next(tokens, None)

    @property
    def is_done(self) -> bool:
        """Whether the end of the text is reached."""
        return len(self.masked) == len(self._text)

    def read(self, end: int) -> None:
        """Go on to ``end``, and to the end of the token that stands there."""
        parts = [self.masked]
        at = len(self.masked)
        while (token := self._next) and token.source.first < end:
            self._read.append(token)
            if _MISLEADING.search(self._text, token.source.first, token.source.end):
                parts += (self._text[at : token.source.first], "0" * len(token.source))
                at = token.source.end
            end = max(end, token.source.end)
            self._next = next(self._tokens, None)
        parts.append(self._text[at:end])
        self.masked = "".join(parts)

    def normalized(self, stretch: Span) -> Normalized:
        """A stretch in words; those before it are forgotten."""
        tokens = list(takewhile(lambda token: token.source.first < stretch.end, self._read))
        for _ in tokens:
            self._read.popleft()
        return Normalized(self._text, tokens, stretch)


def _between_breaks(
    text: str, sentence: Span, ending: Ending, breaks: deque[tuple[int, int]]
) -> Iterator[tuple[Span, Ending, int | None]]:
    """A sentence, cut at the breaks in it, with the length of the break after each part."""
    first = sentence.first
    while breaks and breaks[0][0] <= sentence.end:
        at, pause = breaks.popleft()
        if _sounds(text[first:at]):
            yield Span(first, at), Ending.CLAUSE, pause
            first = at
    if _sounds(text[first : sentence.end]):
        after = _after(text, sentence.end, breaks)
        yield Span(first, sentence.end), ending, after


def _after(text: str, end: int, breaks: deque[tuple[int, int]]) -> int | None:
    """The break between a sentence and the next one."""
    if breaks and not text[end : breaks[0][0]].strip():
        return breaks.popleft()[1]
    return None


def _passages(
    of: Passages, normalized: Normalized, sentence: Span, ending: Ending, *, opens: bool
) -> Iterator[Passage]:
    spoken = Span(normalized.spoken_at(sentence.first), normalized.spoken_at(sentence.end))
    for piece in bounded(normalized.text, spoken, ending, normalized.is_within_token, opens=opens):
        source = of.document.place_of(normalized.source_of(piece.source))
        written = of.script.text[source.first : source.end]
        passage = Passage(
            piece.text, written, source, piece.ending, normalized, piece.source.first, of.document
        )
        yield replace(passage, changes=tuple(_changes(passage))) if of.document.changes else passage


def _changes(passage: Passage) -> Iterator[Change]:
    """Where the delivery changes, word by word."""
    now = Delivery()
    for place in _word_starts(passage.text):
        source = passage.normalized.source_of(Span(place, place + 1).shift(passage.first))
        delivery = passage.document.delivery_at(source.first)
        if delivery != now:
            yield place, delivery
            now = delivery


def _word_starts(text: str) -> Iterator[int]:
    """Where words begin; characters of unspaced scripts are words of their own."""
    before = " "
    for at, char in enumerate(text):
        if not char.isspace() and (before.isspace() or {script_of(char), script_of(before)} & {HAN, KANA}):
            yield at
        before = char


def _sounds(text: str) -> bool:
    return any(map(is_sounding, text))
