"""What the options of `generate` and `plan` ask for, read and checked before anything is sent."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from mouthpiece.client import VideoOptions
from mouthpiece.errors import BadInput

_LARGEST_TEXT = 16 << 20


@dataclass(frozen=True, slots=True)
class Wish:
    """Words, recording and face of a video, and how to make it."""

    text: str
    audio: Path | None
    avatar: Path | None
    options: VideoOptions


def read_text(text: str | None, text_file: Path | None) -> str:
    """The words given by --text or --text-file ("-": standard input). Raises `BadInput`."""
    if text is not None and text_file is not None:
        raise BadInput("text_file", "--text and --text-file say the same thing twice: give one of them")
    if text_file is None:
        return text or ""
    try:
        content = sys.stdin.buffer.read() if str(text_file) == "-" else _read(text_file, "text_file")
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise BadInput("text_file", f"{text_file} is not UTF-8 text") from None


def read_lexicon(path: Path | None) -> dict[str, str]:
    """A dictionary: "word = what to say" in each line, "#" before remarks. Raises `BadInput`."""
    if path is None:
        return {}
    try:
        lines = _read(path, "lexicon").decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise BadInput("lexicon", f"{path} is not UTF-8 text") from None
    entries: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        word, equals, alias = (part.strip() for part in line.partition("="))
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if not (word and equals and alias):
            raise BadInput("lexicon", f"{path}, line {number}: not of the form `word = what to say`")
        entries[word] = alias
    return entries


def _read(path: Path, option: str) -> bytes:
    if path.is_dir():
        raise BadInput(option, f"{path} is a folder")
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST_TEXT + 1)
    except OSError as error:
        raise BadInput(option, f"{path} cannot be read: {error.strerror or error}") from None
    if len(content) > _LARGEST_TEXT:
        raise BadInput(option, f"{path} is larger than {_LARGEST_TEXT >> 20} MiB")
    return content
