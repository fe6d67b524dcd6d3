"""Articulation: what the mouth does in every frame, from the speech around it.

A track is a pure windowed function. Frame `n` depends on the speech within `LEAD` samples before and `TAIL`
after it, on nothing else, and comes out bit for bit the same however the frames are cut into spans: phonemes
are added up in order, element by element, through kernels that are polynomials of compact support, so that a
phoneme out of reach adds exactly nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from mouthpiece.core.speech import Phoneme, SpeechSlice
from mouthpiece.core.timeline import SPEECH_RATE, Span
from services.lipsync.engines.viseme.arrays import ease
from services.lipsync.engines.viseme.hearing import hear
from services.lipsync.engines.viseme.visemes import VISEMES, VOWELS, Channel, emphasis, gestures

Track = npt.NDArray[np.float64]
"""Articulation of consecutive frames: float64 of shape (frames, 8), columns as in `Channel`, 0..1."""

LEAD = SPEECH_RATE // 2
"""Samples of speech before a frame that it may depend on."""

TAIL = SPEECH_RATE // 2
"""Samples of speech after a frame that it may depend on."""

_MS = SPEECH_RATE // 1000

_REACH = (60 * _MS, 85 * _MS, 55 * _MS)
"""How far jaw, lip shape and the other channels spread beyond a gesture; lips round long before an "oo"."""

_REST_DOMINANCE = 0.06
"""Pull towards the closed mouth, which wins where nothing is said."""

_SHORTEST_REST = 70 * _MS
"""Shorter pauses, such as that before the burst of a "t", do not bring the mouth to rest."""

_SHUT_FADE = 65 * _MS
"""Time in which lips part after a closure."""

_JAW_RISE = 0.9
"""Share of its opening by which the jaw rises when lips close."""

_ADVANCE = 12 * _MS
"""How much the mouth runs ahead of the sound, as mouths do: they move before they are heard."""

_BLEND = 80 * _MS
"""Time in which the track changes between phonemes and sound where knowledge of phonemes ends."""

_GROUP_OF = np.array([0, 1, 1, 2, 2, 2, 2, 2])


@dataclass(frozen=True, slots=True)
class _Segment:
    """One gesture on the time axis, in samples: its pose, its dominance per channel, whether lips shut."""

    first: float
    end: float
    pose: npt.NDArray[np.float64]
    insists: npt.NDArray[np.float64]
    shuts: bool


def articulate(speech: SpeechSlice, frames: Span, fps: Fraction) -> Track:
    """The articulation track of ``frames``, float64 (len(frames), 8), columns as in `Channel`.

    From phonemes within ``speech.known``, from the sound elsewhere, and at rest before and after the speech.
    ``speech`` must hold `LEAD` samples before and `TAIL` after the frames as far as the speech reaches.
    """
    times = frame_times(frames, fps)
    trust = _trust(speech, times)
    track = pronounce(speech.phonemes, frames, fps) * trust[:, None]
    if (trust < 1.0).any():
        track += hear(speech, frames, fps) * (1.0 - trust)[:, None]
    return track


def pronounce(phonemes: Iterable[Phoneme], frames: Span, fps: Fraction) -> Track:
    """The track of ``frames`` that ``phonemes``, in the order of time, ask for."""
    times = frame_times(frames, fps)
    segments = list(_segments(phonemes))
    rest = np.zeros((len(times), len(Channel)))
    weight = np.full_like(rest, _REST_DOMINANCE)
    total = rest
    for segment in segments:
        near = _near(times, segment)
        share = _shares(times[near], segment) * segment.insists
        total[near] += share * segment.pose
        weight[near] += share
    track = total / weight
    _shut(track, times, [segment for segment in segments if segment.shuts], fps)
    return track


def frame_times(frames: Span, fps: Fraction) -> npt.NDArray[np.float64]:
    """The sample whose articulation each frame shows: a little after its middle."""
    twice = 2 * np.arange(frames.first, frames.end, dtype=np.int64) + 1
    return (twice * (SPEECH_RATE // 2 * fps.denominator)) / fps.numerator + _ADVANCE


def _segments(phonemes: Iterable[Phoneme]) -> Iterator[_Segment]:
    for phoneme in phonemes:
        first, length = phoneme.samples.first, len(phoneme.samples)
        if not phoneme.ipa and length < _SHORTEST_REST:
            continue
        for gesture in gestures(phoneme.ipa):
            viseme = VISEMES[gesture.viseme]
            pose = np.array(viseme.pose)
            if gesture.viseme in VOWELS:
                pose[Channel.JAW] *= emphasis(phoneme.ipa)
            yield _Segment(
                first + gesture.first * length,
                first + gesture.end * length,
                np.minimum(pose, 1.0),
                np.array(viseme.insists)[_GROUP_OF],
                gesture.viseme == "bilabial",
            )


def _near(times: npt.NDArray[np.float64], segment: _Segment) -> slice:
    reach = max(_REACH)
    low, high = np.searchsorted(times, (segment.first - reach, segment.end + reach))
    return slice(int(low), int(high))


def _shares(times: npt.NDArray[np.float64], segment: _Segment) -> npt.NDArray[np.float64]:
    """How present a gesture is at ``times`` in each channel: 0..1, one well inside it, 0 beyond its reach."""
    groups = [
        ease((times - segment.first + reach) / (2 * reach))
        * ease((segment.end + reach - times) / (2 * reach))
        for reach in _REACH
    ]
    return np.stack(groups, axis=1)[:, _GROUP_OF]


def _shut(track: Track, times: npt.NDArray[np.float64], closures: list[_Segment], fps: Fraction) -> None:
    """Close the lips in the frame nearest to each bilabial, and on the way there and back.

    Dominance alone leaves a short "b" between open vowels half open whenever it falls between two frames.
    """
    shut = np.zeros(len(times))
    for closure in closures:
        middle = (closure.first + closure.end) / 2
        frame = max(0, int((middle - _ADVANCE) * fps.numerator // (SPEECH_RATE * fps.denominator)))
        nearest = float(frame_times(Span(frame, frame + 1), fps)[0])
        hold = max(abs(nearest - middle), (closure.end - closure.first) / 4)
        beyond = np.maximum(np.abs(times - middle) - hold, 0.0)
        np.maximum(shut, 1.0 - ease(beyond / _SHUT_FADE), out=shut)
    open_ = 1.0 - shut
    for channel in (Channel.RAISE, Channel.TUCK, Channel.TEETH):
        track[:, channel] *= open_
    track[:, Channel.PRESS] = track[:, Channel.PRESS] * open_ + shut
    track[:, Channel.JAW] *= 1.0 - _JAW_RISE * track[:, Channel.PRESS]


def _trust(speech: SpeechSlice, times: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Share of the phonemes' track at ``times``: 1 well inside ``speech.known`` and outside the speech."""
    inside = np.full(len(times), -float(_BLEND))
    for known in speech.known:
        first = -np.inf if known.first <= speech.samples.first else known.first
        end = np.inf if known.end >= speech.samples.end else known.end
        np.maximum(inside, np.minimum(times - first, end - times), out=inside)
    return ease(inside / _BLEND * 0.5 + 0.5)
