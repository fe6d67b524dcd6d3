"""espeak-ng in this process: text to sound with the times of words and phonemes.

The C library keeps its voice, its parameters and its output callback in global variables: two calls at the
same time corrupt memory and end the process, and a second initialisation takes the callback away from the
first. Hence one instance per process, made at first use, and one lock around every call. One call speaks
one sentence, a few milliseconds of work, so callers take turns; ctypes releases the GIL meanwhile.

The same call need not give the same samples twice: lengths vary by under a millisecond.
"""

from __future__ import annotations

import ctypes
import os
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import IntEnum
from functools import cache, lru_cache
from pathlib import Path

import espeakng_loader
import numpy as np
import numpy.typing as npt

from mouthpiece.errors import MouthpieceError
from mouthpiece.text.delivery import DELIVERED, Delivery, Emphasis, delivery_of, without_delivery
from mouthpiece.text.phonemes import PRONOUNCED
from services.tts import phoneme_tables
from services.tts.pronouncing import mnemonics

RATE = 22_050
"""Samples per second of everything that espeak-ng says."""

Pcm = npt.NDArray[np.int16]


class Cancelled(Exception):
    """The caller of `speak` asked it to stop."""


class MarkKind(IntEnum):
    """Kinds of marks, by the numbers of the C interface."""

    WORD = 1
    PHONEME = 7


@dataclass(frozen=True, slots=True)
class Mark:
    """Something begins at ``sample``: a phoneme, or a word.

    ``offset`` is the code point of the text at which its word begins, counted from 0. ``symbol`` is IPA as
    espeak-ng writes it: empty for pauses, for tones and for glides between words.
    """

    kind: MarkKind
    sample: int
    offset: int
    symbol: str


@dataclass(frozen=True, slots=True)
class Utterance:
    """What was said: mono samples at 22 050 Hz, and marks in order of time."""

    pcm: Pcm
    marks: tuple[Mark, ...]


@dataclass(frozen=True, slots=True)
class Manner:
    """How to speak: words per minute (80-450), volume (0-200), pitch and melody range (0-99)."""

    rate: int = 165
    volume: int = 60
    pitch: int = 50
    melody: int = 50


def speak(
    text: str, voice: str, manner: Manner | None = None, cancelled: Callable[[], bool] = lambda: False
) -> Utterance:
    """Say one sentence with a voice file such as "gmw/en-US" or "gmw/en-US+f3".

    Markup has no meaning; characters that cannot be said count as spaces, so offsets are those of ``text``.
    ``cancelled`` is asked every 100 ms of speech. Blocks while another thread speaks.

    Raises:
        Cancelled: ``cancelled`` returned true.
        MouthpieceError: the library refused the voice or the text.
    """
    manner = manner or Manner()
    return _library().speak(*_encoded(text, voice, manner), voice, manner, cancelled)


def to_ipa(text: str, voice: str) -> str:
    """How a text would be said, in IPA as espeak-ng writes it, without punctuation.

    Raises:
        MouthpieceError: the library refused the voice.
    """
    return _library().to_ipa(_encoded(without_delivery(text), voice, Manner())[0], voice)


def check_sounds(ipa: str, voice: str) -> None:
    """Raise `Unpronounceable` for sounds that a voice file has not, nor anything near them."""
    mnemonics(ipa, _inventory(voice))


@lru_cache(maxsize=32)
def _inventory(voice: str) -> Mapping[str, str]:
    """The phonemes of a voice: their names by how espeak-ng writes them in IPA, the shortest for each."""
    found: dict[str, str] = {}
    for name, ipa in _sounds(voice):
        if len(name) < len(found.get(ipa, "     ")):
            found[ipa] = name
    return found


def _sounds(voice: str) -> Iterator[tuple[str, str]]:
    library = _library()
    tone = library.ipa_of("a", voice)
    for name, is_vowel in phoneme_tables.of_voice(Path(espeakng_loader.get_data_path()), voice):
        # Sounds change at the end of a word: each is heard in front of another one.
        following, heard = ("t", "t") if is_vowel else ("a", tone)
        symbol = library.ipa_of(f"{name}|{following}", voice)
        if symbol.endswith(heard) and len(symbol) > len(heard):
            yield name, symbol.removesuffix(heard)


def version() -> str:
    """Of the library, such as "1.52.0"."""
    return _library().version


_INSERTED = re.compile(f"{PRONOUNCED.pattern}|{DELIVERED.pattern}")


def _encoded(text: str, voice: str, manner: Manner) -> tuple[str, list[int]]:
    """A text as the library takes it, and for each character of that its place in the text.

    Words whose sound is given are there by their phonemes, changes of delivery as control codes.
    """
    parts: list[str] = []
    places: list[int] = []
    at = 0
    for found in _INSERTED.finditer(text):
        if found["delivery"]:
            inserted, place = _control_codes(delivery_of(found["delivery"]), manner), found.end()
        else:
            inserted, place = f" [[{mnemonics(found['ipa'], _inventory(voice))}]] ", found.start()
        parts += (_sayable(text[at : found.start()]), inserted)
        places += (*range(at, found.start()), *[place] * len(inserted))
        at = found.end()
    parts.append(_sayable(text[at:]))
    return "".join(parts), [*places, *range(at, len(text) + 1)]


_PITCHES = (
    (-5.0, -4.6, -3.2, -1.7, 0.0, 1.7, 3.4, 5.2, 7.2, 9.0),
    (5, 20, 30, 40, 50, 60, 70, 80, 90, 99),
)
"""Semitones that the library speaks higher at pitches that it is told, as measured in three voices."""
_EMPHASES = {
    Emphasis.NONE: (0, 0.0),
    Emphasis.REDUCED: (2, 0.0),
    Emphasis.MODERATE: (3, 1.0),
    Emphasis.STRONG: (4, 2.0),
}
"""What the library calls them, and semitones that it is told besides."""
_SLOWEST, _FASTEST = 80, 450


def _control_codes(delivery: Delivery, manner: Manner) -> str:
    """Pitch, speed and emphasis from here on. Volume is none of them: its mixing clips."""
    emphasis, higher = _EMPHASES[delivery.emphasis]
    pitch = round(float(np.interp(delivery.pitch + higher, *_PITCHES))) + manner.pitch - Manner().pitch
    rate = round(min(max(_SLOWEST, manner.rate * delivery.rate), _FASTEST))
    return f"\x01{min(max(0, pitch), 99)}P\x01{rate}S\x01{emphasis}F "


def _sayable(text: str) -> str:
    """Replace what the library would take for its own control codes, one character for one."""
    return "".join(char if _is_plain(char) else " " for char in text)


def _is_plain(char: str) -> bool:
    code = ord(char)
    private = 0xE000 <= code <= 0xF8FF or code >= 0xF0000
    return (
        char not in "[]"
        and code >= 0x20
        and not 0x7F <= code <= 0x9F
        and not 0xD800 <= code <= 0xDFFF
        and not private
    )


class _EventId(ctypes.Union):
    # `string` holds 8 bytes of UTF-8 without a terminating NUL when the symbol is that long or longer.
    _fields_ = (("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_ubyte * 8))


class _Event(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _EventId),
    )


_OUTPUT_SYNCHRONOUS = 2
_BUFFER_MS = 100
_INIT_PHONEME_EVENTS = 0x1
_INIT_PHONEME_IPA = 0x2
_INIT_DONT_EXIT = 0x8000  # or else the library ends the process when its data is missing
_CHARS_UTF8 = 1
_PHONEMES_IN_TEXT = 0x100  # between double brackets
_PHONEMES_IPA = 2
_POSITION_CHARACTER = 1
_PARAMETERS = {"rate": 1, "volume": 2, "pitch": 3, "melody": 4}

_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)


_starting = threading.Lock()


def _library() -> _Library:
    with _starting:  # `cache` alone lets two first callers in
        return _started()


@cache
def _started() -> _Library:
    return _Library()


class _Library:
    """The loaded library, the lock, and what the callback collects for the call that holds the lock."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pcm = bytearray()
        self._marks: list[Mark] = []
        self._cancelled: Callable[[], bool] = lambda: False
        self._stopped = False
        self._c = _load()
        self._callback = _Callback(self._receive)  # the library keeps the pointer: it must outlive calls
        self._c.espeak_SetSynthCallback(self._callback)
        self._c.espeak_TextToPhonemes.restype = ctypes.c_char_p
        self._c.espeak_Info.restype = ctypes.c_char_p
        self.version = str(self._c.espeak_Info(None).decode())

    def speak(
        self, text: str, places: list[int], voice: str, manner: Manner, cancelled: Callable[[], bool]
    ) -> Utterance:
        with self._lock:
            self._pcm, self._marks, self._stopped = bytearray(), [], False
            self._cancelled = cancelled
            self._set_voice(voice, manner)
            self._synthesize(text)
            if self._stopped:
                raise Cancelled
            marks = (replace(mark, offset=places[min(mark.offset, len(places) - 1)]) for mark in self._marks)
            return Utterance(np.frombuffer(bytes(self._pcm), np.int16), tuple(marks))

    def to_ipa(self, text: str, voice: str) -> str:
        with self._lock:
            self._set_voice(voice, Manner())
            self._cancelled = lambda: False
            self._synthesize(
                " "
            )  # names of phonemes are understood as they were when something was last said
            data = ctypes.create_string_buffer(text.encode())
            rest = ctypes.c_void_p(ctypes.addressof(data))
            said: list[str] = []
            while rest.value:  # one clause at a time
                clause = self._c.espeak_TextToPhonemes(ctypes.byref(rest), _CHARS_UTF8, _PHONEMES_IPA)
                said.append(clause.decode())
            return " ".join(said).strip()

    def ipa_of(self, mnemonics: str, voice: str) -> str:
        """Phonemes by their names, in IPA."""
        return self.to_ipa(f"[[{mnemonics}]]", voice)

    def _set_voice(self, voice: str, manner: Manner) -> None:
        if self._c.espeak_SetVoiceByName(voice.encode()) != 0:
            raise MouthpieceError(f"espeak-ng cannot load the voice {voice}")
        for name, number in _PARAMETERS.items():
            self._c.espeak_SetParameter(number, getattr(manner, name), 0)

    def _synthesize(self, text: str) -> None:
        data = text.encode() + b"\0"
        status = self._c.espeak_Synth(
            data,
            ctypes.c_size_t(len(data)),
            0,
            _POSITION_CHARACTER,
            0,
            _CHARS_UTF8 | _PHONEMES_IN_TEXT,
            None,
            None,
        )
        if status != 0:
            raise MouthpieceError(f"espeak-ng failed with status {status}")

    def _receive(self, samples: int | None, count: int, events: int | None) -> int:
        if samples and count > 0:
            self._pcm += ctypes.string_at(samples, 2 * count)
        if events:
            self._marks.extend(_marks_at(events))
        self._stopped = self._stopped or self._cancelled()
        return int(self._stopped)


def _marks_at(address: int) -> Iterator[Mark]:
    """Read the C array of events at ``address``, which ends with one of type 0."""
    while (event := _Event.from_address(address)).type != 0:
        if event.type in (MarkKind.WORD, MarkKind.PHONEME):
            kind = MarkKind(event.type)
            symbol = _symbol(event.id) if kind is MarkKind.PHONEME else ""
            yield Mark(kind, event.sample, event.text_position - 1, symbol)
        address += ctypes.sizeof(_Event)


def _symbol(event_id: _EventId) -> str:
    """The symbol of a phoneme event; a character that the 8 bytes cut in two is left out."""
    return bytes(event_id.string).split(b"\0", 1)[0].decode(errors="ignore")


def _load() -> ctypes.CDLL:
    library = ctypes.CDLL(espeakng_loader.get_library_path())
    options = _INIT_PHONEME_EVENTS | _INIT_PHONEME_IPA | _INIT_DONT_EXIT
    data = os.fsencode(espeakng_loader.get_data_path())
    rate = library.espeak_Initialize(_OUTPUT_SYNCHRONOUS, _BUFFER_MS, data, options)
    if rate != RATE:
        raise MouthpieceError(f"espeak-ng did not start (sample rate {rate})")
    return library
