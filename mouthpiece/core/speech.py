"""The speech of a job as values: sentences, words and phonemes on the sample grid."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from fractions import Fraction
from itertools import pairwise

from mouthpiece.core.timeline import SPEECH_RATE, Span, frame_at, frame_count, full_frames, sample_at

BYTES_PER_SAMPLE = 2
"""Speech is 16-bit little-endian mono PCM."""

HIDDEN = "\0"
"""Stands in the text of a sentence for what belongs to its source and is not to be shown, such as markup."""


@dataclass(frozen=True, slots=True)
class Phoneme:
    """One sound: its IPA symbol, empty for a pause, and the samples during which it sounds."""

    ipa: str
    samples: Span


@dataclass(frozen=True, slots=True)
class Word:
    """One word as written, when it sounds, and where it stands in the source text (code points)."""

    text: str
    samples: Span
    source: Span


@dataclass(frozen=True, slots=True)
class Sentence:
    """A contiguous piece of the speech with the pause that follows it.

    ``pcm`` holds exactly ``len(samples)`` samples. ``phonemes`` is ``None`` when only the sound is known.
    ``pauses`` are the stretches of at least 60 ms in which nobody speaks.
    """

    index: int
    text: str
    source: Span
    samples: Span
    pcm: bytes
    words: tuple[Word, ...] = ()
    phonemes: tuple[Phoneme, ...] | None = None
    pauses: tuple[Span, ...] = ()

    def __post_init__(self) -> None:
        if len(self.pcm) != BYTES_PER_SAMPLE * len(self.samples):
            raise ValueError(f"sentence {self.index}: {len(self.pcm)} bytes for {len(self.samples)} samples")


@dataclass(frozen=True, slots=True)
class SpeechSlice:
    """A stretch of the speech with context; before, between and after it there is silence.

    ``phonemes`` are those that overlap ``samples``, complete within each of ``known``, with unclipped times.
    Only pauses end with the slice: how long one goes on beyond is not to be seen.
    Outside ``known`` only the sound tells what is said.
    """

    samples: Span
    pcm: bytes
    phonemes: tuple[Phoneme, ...] = ()
    known: tuple[Span, ...] = ()

    def __post_init__(self) -> None:
        if len(self.pcm) != BYTES_PER_SAMPLE * len(self.samples):
            raise ValueError(f"{len(self.pcm)} bytes for {len(self.samples)} samples")

    def shift(self, by: int) -> SpeechSlice:
        """This slice, ``by`` samples later, without what would then lie before 0."""
        if not by:
            return self
        kept = Span(min(max(self.samples.first, -by), self.samples.end), self.samples.end)
        pcm = self.pcm[BYTES_PER_SAMPLE * (kept.first - self.samples.first) :]
        phonemes = tuple(
            Phoneme(phoneme.ipa, Span(max(0, phoneme.samples.first + by), phoneme.samples.end + by))
            for phoneme in self.phonemes
            if phoneme.samples.end + by > 0
        )
        known = tuple(span.clip(kept).shift(by) for span in self.known if span.overlaps(kept))
        return SpeechSlice(kept.shift(by) if kept else Span(0, 0), pcm, phonemes, known)


class CutGrade(IntEnum):
    """How well a chunk may end at a frame; lower is better."""

    SENTENCE = 0
    PAUSE = 1
    WORD = 2
    ANYWHERE = 3


@dataclass(frozen=True, slots=True, order=True)
class CutMark:
    """A frame at which a chunk may end: the chunk's last frame is the one before it."""

    frame: int
    grade: CutGrade


def slice_speech(sentences: Sequence[Sentence], wanted: Span) -> SpeechSlice:
    """Cut ``wanted`` samples, clipped to what the contiguous ``sentences`` cover, out of a speech."""
    if not sentences:
        return SpeechSlice(Span(0, 0), b"")
    covered = Span(sentences[0].samples.first, sentences[-1].samples.end)
    wanted = wanted.clip(covered)
    pcm = bytearray()
    phonemes: list[Phoneme] = []
    known: list[Span] = []
    for sentence in sentences:
        part = sentence.samples.clip(wanted)
        if not part or not sentence.samples.overlaps(wanted):
            continue
        at = part.shift(-sentence.samples.first)
        pcm += sentence.pcm[BYTES_PER_SAMPLE * at.first : BYTES_PER_SAMPLE * at.end]
        if sentence.phonemes is None:
            continue
        near = (phoneme for phoneme in sentence.phonemes if phoneme.samples.overlaps(wanted))
        phonemes += [
            phoneme if phoneme.ipa else Phoneme("", phoneme.samples.clip(wanted)) for phoneme in near
        ]
        if known and known[-1].end == part.first:
            known[-1] = Span(known[-1].first, part.end)
        else:
            known.append(part)
    return SpeechSlice(wanted, bytes(pcm), tuple(phonemes), tuple(known))


def ready_frames(samples: int, fps: Fraction, tail: int, *, final: bool) -> int:
    """Frames that can be rendered when ``samples`` of the speech exist and an engine looks ``tail`` ahead."""
    return frame_count(samples, fps) if final else full_frames(max(0, samples - tail), fps)


def cut_marks(sentence: Sentence, fps: Fraction) -> tuple[CutMark, ...]:
    """Frames of a sentence at which a chunk may end, ascending, best grade where several fall on one.

    The end of the sentence, the middle of each pause, the gaps between words, and every half second where
    there is none of those for longer than a second.
    """
    marks = [(_frame_near(middle, fps), CutGrade.PAUSE) for middle in _middles(sentence.pauses)]
    marks += [(_frame_near(word.samples.first, fps), CutGrade.WORD) for word in sentence.words[1:]]
    marks.append((full_frames(sentence.samples.end, fps), CutGrade.SENTENCE))
    best: dict[int, CutGrade] = {}
    for frame, grade in marks:
        if frame > frame_at(sentence.samples.first, fps):
            best[frame] = min(grade, best.get(frame, CutGrade.ANYWHERE))
    for first, end in pairwise((frame_at(sentence.samples.first, fps), *sorted(best))):
        if end - first > fps:
            best |= dict.fromkeys(range(first + round(fps / 2), end, round(fps / 2)), CutGrade.ANYWHERE)
    return tuple(CutMark(frame, grade) for frame, grade in sorted(best.items()))


def _middles(spans: Iterable[Span]) -> Iterable[int]:
    return ((span.first + span.end) // 2 for span in spans)


def _frame_near(sample: int, fps: Fraction) -> int:
    below = frame_at(sample, fps)
    return below if sample - sample_at(below, fps) < sample_at(below + 1, fps) - sample else below + 1


def seconds(samples: int) -> float:
    """Samples as seconds, for people and metrics; never for positions."""
    return samples / SPEECH_RATE
