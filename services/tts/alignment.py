"""Words and phonemes of a recording whose text is known.

A synthesizer says the same text, which gives the times of words and phonemes in its speech; dynamic time
warping on mel cepstra carries them over to the recording. Only speech is compared: pauses are left out on
both sides, since people pause where they like. The recording is followed piece by piece with a look at what
comes after each, so that neither memory nor a mistake grows with its length.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import soxr

from mouthpiece.core.speech import Phoneme, Word
from mouthpiece.core.timeline import SPEECH_RATE, Span
from mouthpiece.text.passages import Passage, as_it_is
from services.tts import articulation, cepstra, espeak
from services.tts.articulation import TimedWord
from services.tts.cepstra import Features
from services.tts.engine import Times
from services.tts.pauses import LevelMeter, find_pauses
from services.tts.synthesis import LEAD_IN, LEAD_OUT, Plan, expected_samples, written_words
from services.tts.voices import Choice
from services.tts.warping import Path, follow, furthest

Pcm = npt.NDArray[np.int16]
_Timed = TypeVar("_Timed", Phoneme, Word)

_HOP = SPEECH_RATE // 100
"""Samples at 48 kHz per frame of the cepstra."""

_REFERENCES = ("", "f3", "f2")
"""Variants that say the text; the one most like the recorded speaker is used."""

_WORST_FIRST_MATCH = ((300, 0.945), (600, 0.965))
_WORST_NEXT_MATCH = 0.975
"""Highest price of the way through the text that is believed, in prices of ways through the same sounds in
a wrong order; stricter for few frames. Measured with a human voice, four recorded and three of espeak-ng: in
ten seconds 0.45 to 0.95 for what was said and 0.98 to 1.04 for other texts; in two, 0.86 to 0.94 and 0.95 up.
"""

_AHEAD = 500
_LEAST = 1_000
_SAMPLE = 600
"""Frames that are looked at after a piece, together with it, and to judge whether the text is that of it."""

_BEHIND = 30
_MOST_FAILURES = 3


@dataclass(frozen=True, slots=True)
class Timing:
    """What is said in one piece of a recording, in samples of the recording and code points of the text."""

    phonemes: tuple[Phoneme, ...]
    words: tuple[Word, ...]
    source: Span


@dataclass(frozen=True, slots=True)
class Stretch:
    """One piece of a recording: its place, its sound, and the pauses in it."""

    samples: Span
    pcm: Pcm
    pauses: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class SpeechFrames:
    """Cepstra of the speech in a sound, and the sample at 48 kHz in the middle of each frame."""

    features: Features
    times: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.times)

    def part(self, first: int, end: int) -> SpeechFrames:
        """Some of the frames."""
        return SpeechFrames(self.features[first:end], self.times[first:end])


def _joined(parts: Sequence[SpeechFrames]) -> SpeechFrames:
    return SpeechFrames(
        np.concatenate([part.features for part in parts]), np.concatenate([part.times for part in parts])
    )


def frames_of(stretch: Stretch) -> SpeechFrames:
    """The frames of the speech in one piece of a recording."""
    return _speech_frames(stretch.pcm, SPEECH_RATE, stretch.pauses, stretch.samples.first)


def _speech_frames(pcm: Pcm, rate: int, pauses: Iterable[Span], first: int) -> SpeechFrames:
    """Frames of a sound that begins at sample ``first``, without those within ``pauses``."""
    sound = soxr.resample(pcm.astype(np.float32) / 32768, rate, cepstra.RATE, quality="HQ")
    features = cepstra.cepstra(sound)
    kept = np.ones(len(features), np.bool_)
    for pause in pauses:
        kept[-(-(pause.first - first) // _HOP) : (pause.end - first) // _HOP] = False
    return SpeechFrames(features[kept], first + np.flatnonzero(kept) * _HOP + _HOP // 2)


# The text as said by the synthesizer -----------------------------------------------------------------------


class _Script:
    """The text in one voice, synthesised as far as it is needed; samples count from its start at 48 kHz."""

    def __init__(self, plan: Plan, variant: str, rate: int, cancelled: Callable[[], bool]) -> None:
        self._plan = plan
        self._choice = replace(plan.choice, variant=variant)
        self._pieces = deque(plan.pieces)
        self._manner = espeak.Manner(rate=rate)
        self._cancelled = cancelled
        self.samples = 0
        self.frames = SpeechFrames(np.zeros((0, cepstra.COEFFICIENTS), np.float32), np.zeros(0, np.int64))
        self.phonemes: list[Phoneme] = []
        self.words: list[Word] = []

    def reach(self, frames: int) -> None:
        """Say enough to have that many frames of speech, or all there is."""
        said = [self.frames]
        count = len(self.frames)
        while count < frames and self._pieces:
            said.append(self._say(self._pieces.popleft()))
            count += len(said[-1])
        self.frames = _joined(said)

    def _say(self, piece: Passage) -> SpeechFrames:
        utterance = espeak.speak(piece.text, self._choice.file, self._manner, self._cancelled)
        sounds = articulation.phonemes(utterance)
        first = self.samples
        self.samples += articulation.to_speech_grid(len(utterance.pcm))
        self.phonemes += [replace(sound, samples=sound.samples.shift(first)) for sound in sounds if sound.ipa]
        self.words += [
            replace(word, samples=word.samples.shift(first))
            for word in written_words(self._plan, piece, articulation.words(piece.text, utterance, sounds))
        ]
        pauses = [pause.shift(first) for pause in articulation.pauses(sounds)]
        return _speech_frames(utterance.pcm, espeak.RATE, pauses, first)


# Following a recording -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Way:
    """A place in a script from which a recording may go on."""

    script: _Script
    start: int

    def follow(self, heard: SpeechFrames) -> Path | None:
        """The way through the script for some frames of the recording; ``None`` when the script is over."""
        first, end = self._reach(heard)
        part = self.script.frames.part(first, end)
        if not len(part):
            return None
        mine, theirs = cepstra.with_slopes(heard.features), cepstra.with_slopes(part.features)
        path = follow(mine, theirs, self.start - first)
        return Path(path.frames + first, path.cost)

    def cost_by_chance(self, heard: SpeechFrames) -> float:
        """What it costs to go through the same part of the script in a wrong order."""
        part = self.script.frames.part(*self._reach(heard))
        mine, theirs = cepstra.with_slopes(heard.features), cepstra.with_slopes(part.features)
        wrong = [np.roll(theirs, -len(theirs) * third // 3, axis=0) for third in (1, 2)]
        return float(np.mean([follow(mine, order, 0).cost for order in wrong]))

    def _reach(self, heard: SpeechFrames) -> tuple[int, int]:
        end = self.start + furthest(len(heard))
        self.script.reach(end)
        return max(0, self.start - _BEHIND), end


class Aligner:
    """Goes through a recording and its text side by side."""

    def __init__(
        self, plan: Plan, speech_samples: int, cancelled: Callable[[], bool], *, certain: bool = False
    ) -> None:
        """``speech_samples`` is how much of the recording is speech: how fast the text is spoken.

        ``certain`` says that the recording is one stretch, and says the text and nothing else.
        """
        # A recording has rests at its ends, as a whole speech has; a sentence of an engine has none.
        around = 0 if certain else LEAD_IN + LEAD_OUT
        rate = _rate(sum(map(expected_samples, plan.pieces)) + around, speech_samples)
        self._scripts = [_Script(plan, variant, rate, cancelled) for variant in _REFERENCES]
        self._starts = [0]
        self._failures = 0
        self._found = False
        self._certain = certain

    @property
    def lost(self) -> bool:
        """Whether the text is not that of the recording, or no longer."""
        return self._failures >= _MOST_FAILURES

    def wants(self, frames: Sequence[SpeechFrames]) -> bool:
        """Whether more is to be seen of what follows before the first of these stretches can be timed."""
        total = sum(len(part) for part in frames)
        return not self.lost and total < max(_LEAST, len(frames[0]) + _AHEAD)

    def time(self, stretch: Stretch, frames: Sequence[SpeechFrames]) -> Timing | None:
        """Words and phonemes of a stretch, whose frames come first; ``None`` when text and sound disagree."""
        own = len(frames[0])
        if not own or self.lost:
            return None
        window = _joined(frames).part(0, max(_LEAST, own + _AHEAD))
        sample = window.part(0, _SAMPLE)
        ways = [_Way(script, start) for script in self._scripts for start in self._starts]
        tried = [(way, path) for way in ways if (path := way.follow(sample))]
        if not tried:
            return None
        way, path = min(tried, key=lambda one: one[1].cost)
        believed = self._certain or path.cost <= self._worst(len(sample)) * way.cost_by_chance(sample)
        if len(window) > len(sample):
            path = way.follow(window) or path
        after = int(path.frames[own - 1]) + 1
        if not believed:
            self._failures += 1
            self._starts = [self._starts[0], after]
            return None
        self._scripts, self._starts, self._failures, self._found = [way.script], [after], 0, True
        return _carried_over(way, path.frames[:own], frames[0].times, stretch, whole=self._certain)

    def _worst(self, frames: int) -> float:
        if self._found and not self._failures:
            return _WORST_NEXT_MATCH
        counts, scores = zip(*_WORST_FIRST_MATCH, strict=True)
        return float(np.interp(frames, counts, scores))


def _rate(expected: int, speech_samples: int) -> int:
    """Words per minute at which a text of so many expected samples takes about as long as the recording."""
    usual = espeak.Manner().rate
    return int(np.clip(usual * expected / max(1, speech_samples), usual * 0.6, usual * 1.8))


# From the script's time to the recording's -----------------------------------------------------------------


def _carried_over(
    way: _Way,
    matched: npt.NDArray[np.int64],
    times: npt.NDArray[np.int64],
    stretch: Stretch,
    *,
    whole: bool,
) -> Timing:
    """What the script says from the start of the way to the last frame ``matched``, at ``times``.

    ``whole``: to its end, wherever that was matched.
    """
    script, start = way.script, way.start
    said = script.frames.times[matched]
    when = _Clock(said, times)
    end = script.samples if whole else int(said[-1]) + _HOP // 2
    within = Span(min(int(script.frames.times[start]) - _HOP // 2 if start else 0, end), end)
    sounds = [replace(sound, samples=when(sound.samples)) for sound in _part(script.phonemes, within)]
    words = [replace(word, samples=when(word.samples)) for word in _part(script.words, within)]
    phonemes = tuple(fit(sounds, stretch.samples, stretch.pauses))
    timed = [replace(word, samples=articulation.spoken(word.samples, phonemes)) for word in words]
    source = Span(words[0].source.first, words[-1].source.end) if words else Span(0, 0)
    return Timing(phonemes, tuple(timed), source)


def _part(timed: Sequence[_Timed], span: Span) -> Sequence[_Timed]:
    """Those whose middle lies within the span."""
    first = bisect_left(timed, span.first, key=_middle)
    return timed[first : bisect_left(timed, span.end, first, key=_middle)]


def _middle(timed: Phoneme | Word) -> int:
    return (timed.samples.first + timed.samples.end) // 2


class _Clock:
    """Translates samples of the script into samples of the recording."""

    def __init__(self, said: npt.NDArray[np.int64], heard: npt.NDArray[np.int64]) -> None:
        # Where the script stands still, its times are told apart by a hair, so that they ascend.
        self._said = said + np.arange(len(said)) * 1e-3
        self._heard = heard

    def __call__(self, samples: Span) -> Span:
        first, end = np.rint(np.interp((samples.first, samples.end), self._said, self._heard)).astype(int)
        return Span(int(first), int(end))


# A sentence that an engine says ----------------------------------------------------------------------------


def times_within(text: str, choice: Choice, pcm: Pcm, cancelled: Callable[[], bool]) -> Times | None:
    """When the sounds and words of ``text`` are in a sound at 48 kHz that says it and nothing else.

    ``choice`` is an embedded voice of its language. ``None`` when no speech is in the sound.
    """
    meter = LevelMeter()
    meter.add(pcm.astype(np.float32) / np.float32(32768))
    pauses = find_pauses(meter.levels(), len(pcm))
    stretch = Stretch(Span(0, len(pcm)), pcm, pauses)
    piece = as_it_is(text)
    frames = frames_of(stretch)
    plan = Plan(text, (piece,), choice)
    aligner = Aligner(plan, len(frames) * _HOP, cancelled, certain=True)
    timing = aligner.time(stretch, [frames])
    if timing is None:
        return None
    words = tuple(TimedWord(word.source, word.samples) for word in timing.words)
    return Times(timing.phonemes, words)


# Into the pauses of the recording --------------------------------------------------------------------------

_SHORTEST = SPEECH_RATE * 10 // 1000


def fit(sounds: Sequence[Phoneme], within: Span, pauses: Sequence[Span]) -> Iterator[Phoneme]:
    """Yield sounds, and pauses between them, that fill ``within`` without gap or overlap.

    ``sounds`` are in order, at about the right times, without pauses; none of them sounds within ``pauses``.
    """
    stretches = list(_between(within, pauses))
    shares: list[list[Phoneme]] = [[] for _ in stretches]
    current = 0
    for sound in sounds:
        current = max(current, _nearest(stretches, sound.samples)) if stretches else 0
        if stretches:
            shares[current].append(sound)
    end = within.first
    for stretch, share in zip(stretches, shares, strict=True):
        for sound in _spread(share, stretch):
            if sound.samples.first > end:
                yield Phoneme("", Span(end, sound.samples.first))
            yield sound
            end = sound.samples.end
    if end < within.end:
        yield Phoneme("", Span(end, within.end))


def _between(within: Span, pauses: Sequence[Span]) -> Iterator[Span]:
    """What is left of a span without its pauses."""
    first = within.first
    for pause in pauses:
        if pause.first > first:
            yield Span(first, pause.first)
        first = pause.end
    if first < within.end:
        yield Span(first, within.end)


def _nearest(stretches: Sequence[Span], sound: Span) -> int:
    """The stretch that a sound is mostly in, or else the one closest to it."""

    def fitness(number: int) -> int:
        stretch = stretches[number]
        return min(stretch.end, sound.end) - max(stretch.first, sound.first)

    return max(range(len(stretches)), key=fitness)


def _spread(sounds: Sequence[Phoneme], stretch: Span) -> Iterator[Phoneme]:
    """The sounds one right after the other within a stretch, none shorter than 10 ms if there is room."""
    if not sounds:
        return
    shortest = min(_SHORTEST, len(stretch) // len(sounds))
    bounds = [sound.samples.first for sound in sounds] + [sounds[-1].samples.end]
    if bounds[0] - stretch.first < articulation.MIN_PAUSE:
        bounds[0] = stretch.first
    if stretch.end - bounds[-1] < articulation.MIN_PAUSE:
        bounds[-1] = stretch.end
    for number in range(len(bounds)):
        left = len(bounds) - 1 - number
        earliest = bounds[number - 1] + shortest if number else stretch.first
        bounds[number] = min(max(bounds[number], earliest), stretch.end - left * shortest)
    for sound, first, end in zip(sounds, bounds, bounds[1:], strict=False):
        if end > first:
            yield replace(sound, samples=Span(first, end))
