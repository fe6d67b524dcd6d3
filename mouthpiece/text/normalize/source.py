"""The text that is looked through, as recognisers see it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from mouthpiece.core.timeline import Span
from mouthpiece.text.normalize.language import Language
from mouthpiece.text.normalize.token import Kind, Place, Token

_GOES_ON = re.compile(
    r"[ \t\u00a0](?:[ECMP][SD]T|[ECMP]T|GMT|UTC|BST|CES?T|EES?T|IST|JST|NW|NE|SW|SE|N|S|E|W)(?!\w)"
)
"""A time zone, or a quarter of a town: never the first word of a sentence."""


@dataclass(slots=True)
class Source:
    """A text in a language.

    It remembers how far an unsuccessful look ahead went, so that the next need not go there again: that
    keeps the time linear.
    """

    text: str
    language: Language
    _nowhere: dict[str, int] = field(default_factory=dict)
    no_maths_until: int = 0

    def token(self, first: int, end: int, spoken: str, kind: Kind) -> Token:
        """What is said for a stretch."""
        return Token(Span(first, end), " ".join(spoken.split()), kind)

    def place(self, first: int, end: int) -> Place:
        """A stretch and what is around it."""
        return Place(self.text, first, end)

    def char(self, at: int) -> str:
        """The character at a position; empty outside the text."""
        return self.text[at : at + 1] if at >= 0 else ""

    def ends_word(self, at: int) -> bool:
        """Whether no letter or digit goes on at a position."""
        return not self.char(at).isalnum() and self.char(at) != "_"

    def keeps_stop(self, end: int) -> bool:
        """Whether the stop before ``end`` belongs to an abbreviation and ends the sentence as well."""
        if _GOES_ON.match(self.text, end):
            return False
        following = self.text[end : end + 3]
        rest = following.lstrip(' \t\u00a0"”»)')
        return self.char(end - 1) == "." and (
            not rest or rest[0] in "\r\n" or (following != rest and rest[0].isupper())
        )

    def ends_text(self, end: int) -> bool:
        """Whether the stop before ``end`` is the last one of its paragraph."""
        rest = self.text[end : end + 3].lstrip(' \t\u00a0"”»)“')
        return self.char(end - 1) == "." and (not rest or rest[0] in "\r\n")

    def find(self, wanted: str, at: int) -> int:
        """Where a string stands next, or -1; the answer -1 is remembered."""
        if self._nowhere.get(wanted, len(self.text) + 1) <= at:
            return -1
        found = self.text.find(wanted, at)
        if found < 0:
            self._nowhere[wanted] = at
        return found


Recogniser = Callable[[Source, int], Token | None]
"""Tells what begins at a position, if it is something that it knows."""
