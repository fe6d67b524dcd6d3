"""The table of phonemes that a voice of espeak-ng uses, from the library's data.

``phontab`` is a count of tables, and for each a count of its phonemes, the number of the table that it
extends (0 for none), its name, and a record per phoneme, which begins with the phoneme's name.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

_HEADER = struct.Struct("<BB2x32s")
_RECORD = struct.Struct("<4s4x2xBBBBBB")
_VOWEL, _NASAL = 2, 8


@dataclass(frozen=True, slots=True)
class _Table:
    extends: int
    phonemes: Mapping[str, int]
    """Types by name."""


def of_voice(data: Path, voice: str) -> Iterator[tuple[str, bool]]:
    """Names of the sounds of a voice file, and whether each is a vowel. ``data`` is the library's folder."""
    tables = _tables(data / "phontab")
    names = list(tables)
    wanted = next((name for name in _table_names(data, voice) if name in tables), "base1")
    found: dict[str, int] = {}
    number = names.index(wanted) + 1
    while number:
        table = tables[names[number - 1]]
        found = {**table.phonemes, **found}
        number = table.extends
    for name, kind in found.items():
        if _VOWEL <= kind <= _NASAL and name.isprintable():
            yield name, kind == _VOWEL


@lru_cache(maxsize=1)
def _tables(path: Path) -> dict[str, _Table]:
    data = path.read_bytes()
    tables: dict[str, _Table] = {}
    at = 4
    for _ in range(data[0]):
        count, extends, name = _HEADER.unpack_from(data, at)
        at += _HEADER.size
        records = _RECORD.iter_unpack(data[at : at + count * _RECORD.size])
        phonemes = {_text(record[0]): record[2] for record in records}
        tables[_text(name)] = _Table(extends, phonemes)
        at += count * _RECORD.size
    return tables


def _text(field: bytes) -> str:
    return field.split(b"\0", 1)[0].decode("latin-1")


def _table_names(data: Path, voice: str) -> Iterator[str]:
    """What a voice file calls its table, or else its languages, whose name the table has."""
    lines = (data / "lang" / voice.partition("+")[0]).read_text(encoding="utf-8", errors="replace")
    values = [line.split() for line in lines.splitlines()]
    for key in ("phonemes", "language"):
        yield from (value[1] for value in values if len(value) > 1 and value[0] == key)
    yield from (value[1].partition("-")[0] for value in values if len(value) > 1 and value[0] == "language")
