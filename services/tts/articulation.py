"""From what espeak-ng reports to phonemes and words on the 48 kHz grid.

Three things are not as a listener, or a mouth, would have them, and are put right here:

* A stop is reported when it bursts; the silence before it, in which the lips are already closed, counts to
  the sound before. It is given to the stop.
* Empty symbols are pauses, but also tones and glides between words. Only the quiet ones are pauses.
* Symbols are IPA only by and large. They are spelled as the IPA has them.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from mouthpiece.core.speech import Phoneme
from mouthpiece.core.timeline import SPEECH_RATE, Span
from mouthpiece.text.scripts import script_of
from services.tts.espeak import RATE, MarkKind, Pcm, Utterance

MIN_PAUSE = SPEECH_RATE * 60 // 1000
"""Samples of the shortest stretch of silence that counts as a pause."""


@dataclass(frozen=True, slots=True)
class TimedWord:
    """A word: its place in the text in code points, and the samples during which it sounds."""

    source: Span
    samples: Span


def to_speech_grid(sample: int) -> int:
    """The sample at 48 000 Hz that is heard together with a sample of espeak-ng, rounded, halves up."""
    return (2 * sample * SPEECH_RATE + RATE) // (2 * RATE)


# Symbols ---------------------------------------------------------------------------------------------------

_SPELLINGS = (
    ("ts.", "ʈʂ"),
    ("s.", "ʂ"),
    ("z.", "ʐ"),
    ("t.", "ʈ"),
    ("d.", "ɖ"),
    ("n.", "ɳ"),
    ("l.", "ɭ"),
    ("r.", "ɽ"),
    ("i.", "ɨ"),
    ("_h", "ʰ"),
    ("oe", "œ"),
)
_LETTERS = str.maketrans(
    {
        ":": "ː",
        "?": "ʔ",
        "`": "ʼ",
        "^": "ʲ",
        "g": "ɡ",
        "ε": "ɛ",
        "Φ": "ɸ",
        "S": "ʃ",
        "Z": "ʒ",
        "A": "a",
        "X": "χ",
        "K": "ɬ",
    }
)
_NOT_IPA = re.compile(r"[^\w̩̯̝̞̪̺̻̃̊͡ˈˌːˑˤʰʲʷʼ]|[0-9_F]")
_ASPIRATION = re.compile(r"(?<=[^\Wˈˌ])h")
_STRESS = "ˈˌ"
_VOWELS = frozenset("aeiouyäɐɑɒɔɘəɚɛɜɝɞɤɨɪɯɵɶœøʉʊʌʏæᵻ")
_VOICELESS_STOPS = frozenset("ptkqcʈ")


def ipa(symbol: str) -> str:
    """Spell a symbol of espeak-ng as the IPA has it; empty when it stands for no sound."""
    if symbol.startswith("("):
        return ""  # announces words of another language
    for written, meant in _SPELLINGS:
        symbol = symbol.replace(written, meant)
    symbol = _ASPIRATION.sub("ʰ", symbol)
    symbol = _NOT_IPA.sub("", symbol.translate(_LETTERS))
    return "j" if symbol == "ʲ" else symbol  # palatalisation that lasts is a glide of its own


def is_vowel(symbol: str) -> bool:
    """Whether an IPA symbol is a vowel."""
    return symbol.lstrip(_STRESS)[:1] in _VOWELS


# Phonemes --------------------------------------------------------------------------------------------------

_SILENCE = 2
"""Samples of up to this size, of 32 768, are what the synthesizer leaves between sounds."""
_LONGEST_CLOSURE = RATE * 60 // 1000
_LONGEST_STOP_CLOSURE = RATE * 50 // 1000
_SHORTEST_SOUND = RATE * 10 // 1000
_SHORTEST_REST = RATE * 20 // 1000


def phonemes(utterance: Utterance) -> tuple[Phoneme, ...]:
    """The phonemes of an utterance on the 48 kHz grid, without gap or overlap; pauses have no symbol."""
    sounds = _without_short_rests(_with_closures(_sounds(utterance), utterance.pcm))
    return tuple(
        Phoneme(sound.ipa, Span(to_speech_grid(sound.samples.first), to_speech_grid(sound.samples.end)))
        for sound in sounds
        if sound.samples
    )


def _sounds(utterance: Utterance) -> list[Phoneme]:
    """What the marks say, on the grid of espeak-ng; glides and tones are parts of the sound before them."""
    pcm = utterance.pcm
    marks = [mark for mark in utterance.marks if mark.kind is MarkKind.PHONEME]
    begins = [min(mark.sample, len(pcm)) for mark in marks]
    quiet = _rms(pcm) / 4  # some voices have an echo, a tenth as loud as the sound itself
    sounds = [Phoneme("", Span(0, begins[0] if begins else len(pcm)))]
    for mark, first, end in zip(marks, begins, [*begins, len(pcm)][1:], strict=True):
        symbol, last = ipa(mark.symbol), sounds[-1]
        is_pause = not symbol and _rms(pcm[first:end]) <= quiet
        if symbol or (is_pause and last.ipa):
            sounds.append(Phoneme(symbol, Span(first, end)))
        else:
            sounds[-1] = replace(last, samples=Span(last.samples.first, end))
    return sounds


def _rms(pcm: Pcm) -> float:
    return float(np.sqrt(np.mean(np.square(pcm, dtype=np.float64)))) if len(pcm) else 0.0


def _with_closures(sounds: Sequence[Phoneme], pcm: Pcm) -> list[Phoneme]:
    """Give each consonant the silence right before it."""
    done: list[Phoneme] = []
    for sound in sounds:
        if done and sound.ipa and not is_vowel(sound.ipa):
            before = done[-1]
            first = max(sound.samples.first - _closure(sound, before, pcm), _earliest(before))
            done[-1] = replace(before, samples=Span(before.samples.first, first))
            sound = replace(sound, samples=Span(first, sound.samples.end))  # noqa: PLW2901
        done.append(sound)
    return done


def _without_short_rests(sounds: Sequence[Phoneme]) -> Iterator[Phoneme]:
    """Let a sound last over the instant after it in which the synthesizer changes its voice."""
    held: Phoneme | None = None
    for sound in sounds:
        if held and held.ipa and not sound.ipa and len(sound.samples) < _SHORTEST_REST:
            held = replace(held, samples=Span(held.samples.first, sound.samples.end))
            continue
        if held:
            yield held
        held = sound
    if held:
        yield held


def _earliest(before: Phoneme) -> int:
    """The sample from which a sound may give way to the next: a pause at once, others after a while."""
    return min(before.samples.first + (_SHORTEST_SOUND if before.ipa else 0), before.samples.end)


def _closure(stop: Phoneme, before: Phoneme, pcm: Pcm) -> int:
    """Samples right before ``stop`` in which nothing sounds, as far as they can belong to it."""
    level, limit = _SILENCE, _LONGEST_CLOSURE
    if stop.ipa[0] in _VOICELESS_STOPS:
        sound = pcm[before.samples.first : before.samples.end]
        level = max(level, int(np.abs(sound.astype(np.int32)).max(initial=0)) // 8)  # an echo may sound on
        limit = _LONGEST_STOP_CLOSURE
    stretch = np.abs(pcm[max(0, stop.samples.first - limit) : stop.samples.first].astype(np.int32))
    loud = np.flatnonzero(stretch > level)
    return len(stretch) - int(loud[-1]) - 1 if len(loud) else len(stretch)


# Words -----------------------------------------------------------------------------------------------------

_UNSPACED = frozenset(("HAN", "KANA"))


def words(text: str, utterance: Utterance, sounds: Sequence[Phoneme]) -> tuple[TimedWord, ...]:
    """The words of ``text`` with their times on the 48 kHz grid; every letter and digit is in one of them.

    Words that the synthesizer does not report on their own ("of the" is one to it) share the time of those
    that it does, by their lengths. Han and kana characters are words of their own.
    """
    tokens = list(_tokens(text))
    if not tokens or not sounds:
        return ()
    onsets = [sound.samples.first for sound in sounds if sound.ipa]
    starts = [(index, _snap(start, onsets)) for index, start in _token_starts(tokens, utterance)]
    ends = [*(sample for _, sample in starts[1:]), sounds[-1].samples.end]
    untils = [*(index for index, _ in starts[1:]), len(tokens)]
    timed: list[TimedWord] = []
    for (_, start), end, until in zip(starts, ends, untils, strict=True):
        timed += _share(tokens[len(timed) : until], spoken(Span(start, max(start, end)), sounds))
    return tuple(timed)


def _tokens(text: str) -> Iterator[Span]:
    """Stretches without white space, less the punctuation around them; characters of unspaced scripts."""
    for match in re.finditer(r"\S+", text):
        for part in _split_unspaced(text, Span(*match.span())):
            first, end = part.first, part.end
            while first < end and not _is_wordlike(text[first]):
                first += 1
            while end > first and not _is_wordlike(text[end - 1]):
                end -= 1
            if end > first:
                yield Span(first, end)


def _is_wordlike(char: str) -> bool:
    return unicodedata.category(char)[0] in "LNMS"


def _split_unspaced(text: str, span: Span) -> Iterator[Span]:
    first = span.first
    for at in range(span.first + 1, span.end):
        if script_of(text[at]) in _UNSPACED or script_of(text[at - 1]) in _UNSPACED:
            yield Span(first, at)
            first = at
    yield Span(first, span.end)


def _token_starts(tokens: Sequence[Span], utterance: Utterance) -> list[tuple[int, int]]:
    """The reported tokens by index, ascending, and where on the 48 kHz grid each begins; never empty."""
    firsts = [token.first for token in tokens]
    starts: list[tuple[int, int]] = []
    for mark in utterance.marks:
        index = max(0, bisect_right(firsts, mark.offset) - 1)
        if mark.kind is MarkKind.WORD and (not starts or index > starts[-1][0]):
            starts.append((index, to_speech_grid(min(mark.sample, len(utterance.pcm)))))
    return starts or [(0, 0)]


def _snap(start: int, onsets: Sequence[int]) -> int:
    """The onset of the sound that a word begins with: words are reported a little before or after it."""
    near = bisect_right(onsets, start)
    candidates = onsets[max(0, near - 1) : near + 1]
    nearest = min(candidates, key=lambda onset: abs(onset - start), default=start)
    return nearest if abs(nearest - start) <= MIN_PAUSE else start


def spoken(span: Span, sounds: Sequence[Phoneme]) -> Span:
    """The span without the pauses at its ends; the whole of it when there is nothing else."""
    begin = max(0, bisect_right(sounds, span.first, key=lambda sound: sound.samples.first) - 1)
    until = bisect_left(sounds, span.end, begin, key=lambda sound: sound.samples.first)
    voiced = [sound.samples for sound in sounds[begin:until] if sound.ipa and sound.samples.overlaps(span)]
    if not voiced:
        return span
    return span.clip(Span(voiced[0].first, voiced[-1].end))


def _share(tokens: Sequence[Span], samples: Span) -> Iterator[TimedWord]:
    """Divide a stretch of time among words by their lengths."""
    total = sum(len(token) for token in tokens)
    done = 0
    first = samples.first
    for token in tokens:
        done += len(token)
        end = samples.first + len(samples) * done // total
        yield TimedWord(token, Span(first, end))
        first = end


# Pauses ----------------------------------------------------------------------------------------------------


def pauses(sounds: Iterable[Phoneme]) -> tuple[Span, ...]:
    """The stretches of at least 60 ms in which nobody speaks."""
    return tuple(sound.samples for sound in sounds if not sound.ipa and len(sound.samples) >= MIN_PAUSE)
