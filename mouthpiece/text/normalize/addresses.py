"""Addresses of mail, pages and people, and hashtags: said so that they can be written down."""

from __future__ import annotations

import re

from mouthpiece.text.normalize.source import Source
from mouthpiece.text.normalize.token import Kind, Token

_LABEL = r"[^\W_](?:[\w-]{0,62})"
_MAIL = re.compile(rf"[\w][\w.+-]{{0,63}}@{_LABEL}(?:\.{_LABEL}){{1,6}}")
_URL = re.compile(r"(?:https?://|ftp://|www\.)[^\s<>\"«»“”]{1,2000}")
_DOMAINS = """
    com org net edu gov io dev ai app info biz eu uk us de fr ru ua by kz ch at nl pl cz it es jp cn рф
    me tv co
"""
_HOST = re.compile(
    rf"{_LABEL}(?:\.{_LABEL}){{0,4}}\.(?:{'|'.join(_DOMAINS.split())})(?![\w-])(?:/[^\s<>\"«»“”]{{0,2000}})?"
)
_HASHTAG = re.compile(r"#(?=\w*[^\W\d_])(\w{1,100})")
_HANDLE = re.compile(r"@([A-Za-z_]\w{0,30})")
_PART = re.compile(r"\d+|[A-ZА-ЯЁ]+(?![a-zа-яё])|[^\W\d_A-ZА-ЯЁ]+|[A-ZА-ЯЁ][a-zа-яё]*|[^\w]|_")
_TRAILING = ".,;:!?)]}'’…"


def address(source: Source, at: int) -> Token | None:
    """An e-mail address or that of a page."""
    for pattern in (_MAIL, _URL, _HOST):
        found = pattern.match(source.text, at)
        if found:
            written = _without_trailing(found.group())
            return source.token(
                at, at + len(written), _spelled(source, _without_scheme(written)), Kind.ADDRESS
            )
    return None


def _without_trailing(written: str) -> str:
    stripped = written.rstrip(_TRAILING)
    closing = written[len(stripped) : len(stripped) + 1]
    return stripped + closing if closing == ")" and stripped.count("(") > stripped.count(")") else stripped


def _without_scheme(written: str) -> str:
    for scheme in ("https://", "http://", "ftp://"):
        written = written.removeprefix(scheme)
    return written.removesuffix("/")


def _spelled(source: Source, written: str) -> str:
    language, words = source.language, source.language.words
    signs = {
        "@": words.at,
        ".": words.dot,
        "/": words.slash,
        "-": words.dash,
        "_": words.underscore,
        ":": words.colon,
        "#": words.hashtag,
        "&": words.and_,
        "=": words.equals,
        "+": words.plus,
        "%": words.percent.form("many"),
    }
    parts: list[str] = []
    for part in _PART.findall(written):
        if part.isdecimal():
            parts.append(
                language.digits(part) if len(part) > 4 or part[0] == "0" else language.cardinal(int(part))
            )
        elif part.lower() == "www":
            parts.append(language.www)
        elif part.isalpha():
            parts.append(part if len(part) > 1 or part.islower() else language.spelled(part))
        else:
            parts.append(signs.get(part, part if part.isalnum() else " "))
    return " ".join(parts)


def tag(source: Source, at: int) -> Token | None:
    """A hashtag, its words apart; a person's handle."""
    if at and not source.ends_word(at - 1):
        return None
    language = source.language
    if found := _HASHTAG.match(source.text, at):
        spoken = (
            f"{language.words.hashtag} {_spelled(source, found[1]).replace(language.words.underscore, ' ')}"
        )
        return source.token(at, found.end(), spoken, Kind.HASHTAG)
    if found := _HANDLE.match(source.text, at):
        return source.token(
            at, found.end(), f"{language.words.at} {_spelled(source, found[1])}", Kind.HASHTAG
        )
    return None
