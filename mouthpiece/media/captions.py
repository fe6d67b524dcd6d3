"""Captions from the times of words: cues that can be read, and the files that players take them from.

Cues follow what subtitlers agree on: at most two lines of 42 columns, at least a second each, broken where
the sentence breathes. What is shown is the text as it was written, not as it was normalised for speaking.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from itertools import accumulate, pairwise
from math import inf

from mouthpiece.core.speech import HIDDEN, Sentence
from mouthpiece.core.timeline import SPEECH_RATE, Span

LINE_COLUMNS = 42
"""Columns of a line; characters of East Asian scripts take two."""

SHORTEST = SPEECH_RATE
"""Samples for which a cue is shown at least, unless speech itself is shorter."""

_LINGER = SPEECH_RATE * 3 // 5
"""Samples for which a cue stays after its last word, if no other is due."""

_LONGEST = SPEECH_RATE * 7
"""Samples of speech in one cue beyond which another is worth while."""

_STOPS = frozenset(".!?…。！？؟।")
_BREATHS = frozenset(";:—–；：؛")
_COMMAS = frozenset(",،、，)）»”")
_OPENERS = frozenset("([{«„“‘「『（【《〈¿¡")
_AHEAD = {
    "en": "and or but because although though while when where who which that if so than then as until since",
    "de": "und oder aber denn weil obwohl während als wenn wo der die das dass damit sondern bis",
    "ru": "и а но или что чтобы потому если когда где который которая которое которые как хотя пока",
}
"""Words in front of which a clause ends."""
_TIED = {
    "en": "a an the of to in on at by for with from my your his her its our their this these no not very",
    "de": "ein eine einen einem einer der die das den dem zu in im am an auf mit von für bei kein nicht sehr",
    "ru": "в во на с со к ко у о об от до из за по под над для без не ни",
}
"""Words that belong to what follows them."""


@dataclass(frozen=True, slots=True)
class Cue:
    """A caption: when it is shown, in samples of the speech, and its one or two lines."""

    samples: Span
    text: str


@dataclass(frozen=True, slots=True)
class _Token:
    """What cues are not broken in: a word with the marks around it, and whether white space follows."""

    text: str
    samples: Span
    spaced: bool
    ends_sentence: bool = False


def cues(sentences: Iterable[Sentence], language: str = "") -> list[Cue]:
    """The captions of a speech, in order and without overlap; none where its words are not known.

    Each begins with its first word. ``language`` is a BCP 47 tag.
    """
    tokens: list[_Token] = []
    end = shown = 0
    for sentence in sentences:
        tokens += _tokens(sentence, shown)
        end = sentence.samples.end
        shown = max((word.source.end for word in sentence.words), default=shown)
    if not tokens:
        return []
    return list(_timed(_Script(tokens, language.partition("-")[0].lower(), end)))


def width(text: str) -> int:
    """Columns that a text takes (Unicode Standard Annex #11)."""
    return sum(_columns(char) for char in text)


def _columns(char: str) -> int:
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


# What is said, as tokens --------------------------------------------------------------------------------


def _tokens(sentence: Sentence, until: int) -> Iterator[_Token]:
    """The text of a sentence in parts, each with the time of its word.

    Words that end before ``until`` go on from the sentence before: a formula may take longer than a sentence.
    """
    words = [word for word in sentence.words if word.source and word.source.end > until]
    spans = [word.source.shift(-sentence.source.first) for word in words]
    goes_on = sentence.source.first < until
    starts = _starts(sentence, spans, spans[0].first if goes_on and spans else 0)
    for number, word in enumerate(words):
        text = sentence.text[starts[number] : starts[number + 1]]
        shown = " ".join(text.replace(HIDDEN, "").split())
        if shown:
            last = number == len(words) - 1
            spaced = width(shown[-1]) == 1 if last else text[-1:].isspace()
            token = _Token(shown, word.samples, spaced, ends_sentence=last)
            yield from _bounded(token)


def _starts(sentence: Sentence, words: Sequence[Span], first: int) -> list[int]:
    """Where in its text each word's part begins, that of the first at ``first``, and where the last one ends.

    White space ends a part; without any, marks belong to the word before them, unless they open something.
    """
    starts = [first]
    for before, after in pairwise(words):
        since = min(before.end, after.first)
        gap = sentence.text[since : after.first]
        spaces = [at for at, char in enumerate(gap) if char.isspace()]
        cut = spaces[-1] + 1 if spaces else len(gap.rstrip("".join(_OPENERS)))
        starts.append(max(starts[-1], since + cut))
    return [*starts, len(sentence.text)]


def _bounded(token: _Token) -> Iterator[_Token]:
    """A token as parts that fit into a line, each with its share of the time."""
    parts = list(_line_pieces(token.text))
    total, done = len(token.text), 0
    for part in parts:
        first, end = (
            token.samples.first + len(token.samples) * at // total for at in (done, done + len(part))
        )
        done += len(part)
        whole = done == total
        yield _Token(part, Span(first, end), token.spaced and whole, token.ends_sentence and whole)


def _line_pieces(text: str) -> Iterator[str]:
    piece = ""
    for char in text:
        if width(piece + char) > LINE_COLUMNS:
            yield piece
            piece = ""
        piece += char
    yield piece


# Where cues end ------------------------------------------------------------------------------------------

_PER_CUE = 1.0
_WITHIN = 2.0
"""Price of a sentence that ends within a cue."""
_PRICES = {"sentence": 0.0, "stop": 0.5, "breath": 1.0, "comma": 1.5, "ahead": 2.5, "plain": 4.0, "tied": 7.0}
"""Price of ending a cue or a line at a place."""
_SHORT, _PER_SHORT_SECOND = 20.0, 50.0
_PER_LONG_SECOND = 3.0


class _Script:
    """The tokens of a speech that lasts ``end`` samples, and what it costs to end a cue after each."""

    def __init__(self, tokens: Sequence[_Token], language: str, end: int) -> None:
        self.tokens = tokens
        self.end = end
        ahead = frozenset(_AHEAD.get(language, "").split())
        tied = frozenset(_TIED.get(language, "").split())
        following = [*(_bare(token.text) for token in tokens[1:]), ""]
        self.prices = [
            _PRICES[_kind(token, after in ahead, _bare(token.text) in tied)]
            for token, after in zip(tokens, following, strict=True)
        ]
        self._columns = [0, *accumulate(width(token.text) + token.spaced for token in tokens)]
        self._ended = [0, *accumulate(token.ends_sentence for token in tokens)]

    def columns(self, part: Span) -> int:
        """Columns of some tokens in one line."""
        return self._columns[part.end] - self._columns[part.first] - self.tokens[part.end - 1].spaced

    def shown_until(self, end: int) -> int:
        """The sample at which the cue before token ``end`` must be gone."""
        return self.tokens[end].samples.first if end < len(self.tokens) else self.end

    def price(self, part: Span) -> float:
        """What it costs to make a cue of some tokens."""
        first, last = self.tokens[part.first], self.tokens[part.end - 1]
        price = _PER_CUE + self.prices[part.end - 1]
        price += _WITHIN * (self._ended[part.end - 1] - self._ended[part.first])
        missing = SHORTEST - (self.shown_until(part.end) - first.samples.first)
        if missing > 0:
            price += _SHORT + _PER_SHORT_SECOND * missing / SPEECH_RATE
        return (
            price + _PER_LONG_SECOND * max(0, last.samples.end - first.samples.first - _LONGEST) / SPEECH_RATE
        )

    def text(self, part: Span) -> str:
        """Some tokens in one line."""
        tokens = self.tokens[part.first : part.end]
        return "".join(token.text + " " * token.spaced for token in tokens).rstrip()


def _kind(token: _Token, before_ahead: bool, tied: bool) -> str:
    mark = token.text.rstrip("\"'”’»“)]")[-1:] or token.text[-1]
    if token.ends_sentence:
        return "sentence"
    for kind, marks in (("stop", _STOPS), ("breath", _BREATHS), ("comma", _COMMAS)):
        if mark in marks:
            return kind
    return "ahead" if before_ahead else "tied" if tied else "plain"


def _bare(text: str) -> str:
    return "".join(char for char in text if char.isalnum() or char == "'").lower()


def _divided(script: _Script) -> list[Span]:
    """The tokens of each cue: the cheapest way of dividing all of them among cues of two lines."""
    count = len(script.tokens)
    best, since = [0.0] + [inf] * count, [0] * (count + 1)
    line = 1
    for first in range(count):
        line = max(line, first + 1)
        while line < count and script.columns(Span(first, line + 1)) <= LINE_COLUMNS:
            line += 1
        for end in range(first + 1, count + 1):
            if end > line and script.columns(Span(line, end)) > LINE_COLUMNS:
                break
            price = best[first] + script.price(Span(first, end))
            if price < best[end]:
                best[end], since[end] = price, first
    found: list[Span] = []
    while count:
        found.append(Span(since[count], count))
        count = since[count]
    return found[::-1]


def _timed(script: _Script) -> Iterator[Cue]:
    for part in _divided(script):
        first, last = script.tokens[part.first].samples.first, script.tokens[part.end - 1].samples.end
        wanted = max(last + _LINGER, first + SHORTEST)
        yield Cue(Span(first, min(wanted, script.shown_until(part.end))), _lines(script, part))


def _lines(script: _Script, part: Span) -> str:
    """One line, or two of about the same length that break where it makes sense."""
    if script.columns(part) <= LINE_COLUMNS:
        return script.text(part)

    def price(at: int) -> float:
        above, below = script.columns(Span(part.first, at)), script.columns(Span(at, part.end))
        if max(above, below) > LINE_COLUMNS:
            return inf
        return script.prices[at - 1] + abs(above - below) / 8

    at = min(range(part.first + 1, part.end), key=price)
    return f"{script.text(Span(part.first, at))}\n{script.text(Span(at, part.end))}"


# Files ---------------------------------------------------------------------------------------------------


def to_vtt(captions: Sequence[Cue]) -> str:
    """The captions as WebVTT (W3C)."""
    blocks = [f"{_times(cue, '.')}\n{escape(cue.text, quote=False)}\n" for cue in captions]
    return "\n".join(["WEBVTT\n", *blocks])


def to_srt(captions: Sequence[Cue]) -> str:
    """The captions as SubRip."""
    blocks = [f"{number}\n{_times(cue, ',')}\n{cue.text}\n" for number, cue in enumerate(captions, 1)]
    return "\n".join(blocks)


def _times(cue: Cue, point: str) -> str:
    return f"{_clock(cue.samples.first, point)} --> {_clock(cue.samples.end, point)}"


def _clock(sample: int, point: str) -> str:
    seconds, milliseconds = divmod(sample * 1000 // SPEECH_RATE, 1000)
    minutes, seconds = divmod(seconds, 60)
    return f"{minutes // 60:02}:{minutes % 60:02}:{seconds:02}{point}{milliseconds:03}"
