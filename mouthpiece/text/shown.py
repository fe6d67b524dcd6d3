"""A document with markup as it is to be shown: apart from its reading, whose libraries the gateway lacks."""

from __future__ import annotations

import re
from html import unescape

from mouthpiece.core.speech import HIDDEN

_MARKUP = re.compile(
    r"<!--.*?-->|<!\[CDATA\[|\]\]>"
    r"|<(?:[^>\"']|\"[^\"]*\"|'[^']*')*>"
    r"|(?P<reference>&(?:amp|lt|gt|quot|apos|#[0-9]{1,7}|#x[0-9A-Fa-f]{1,6});)",
    re.DOTALL,
)


def as_shown(part: str) -> str:
    """A stretch of a document as it is to be shown, as long as it is: `HIDDEN` stands where markup was."""
    return _MARKUP.sub(_shown, part)


def _shown(found: re.Match[str]) -> str:
    return (unescape(found.group()) if found["reference"] else "").ljust(len(found.group()), HIDDEN)
