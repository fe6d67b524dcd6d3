"""Words whose sound is given in the International Phonetic Alphabet, within a text that is to be spoken.

Such a word stands between private characters, first as it is written and then as it sounds, so that it passes
through everything that only looks at letters; who can pronounce it does, and others read what is written.
"""

from __future__ import annotations

import re

from mouthpiece.text.delivery import PRIVATE

MAX_IPA = 200
"""Code points of the longest word's sound."""

_OPEN, _SOUNDS, _CLOSE = "\ue000", "\ue001", "\ue002"

PRONOUNCED = re.compile(
    f"{_OPEN}(?P<word>[^{_OPEN}-{_CLOSE}]*){_SOUNDS}(?P<ipa>[^{_OPEN}-{_CLOSE}]*){_CLOSE}"
)
"""A word with its sound."""

_BLANKS = dict.fromkeys((*map(ord, (_OPEN, _SOUNDS, _CLOSE)), *PRIVATE), " ")


def pronounced(word: str, ipa: str) -> str:
    """A word with its sound, as a part of what is said. It is one word, whatever is in it."""
    return f"{_OPEN}{'-'.join(word.split())}{_SOUNDS}{''.join(ipa.split())}{_CLOSE}"


def as_written(text: str) -> str:
    """A text for those who cannot pronounce."""
    return PRONOUNCED.sub(r"\g<word>", text)


def as_heard(text: str) -> str:
    """A text for people to look at: sounds between slashes."""
    return PRONOUNCED.sub(r"/\g<ipa>/", text)


def without_marks(text: str) -> str:
    """A text of somebody else, as long as it is, in which nothing is taken for such a word, or for a mark."""
    return text.translate(_BLANKS)
