"""Filters of libavfilter over mono sound at 48 kHz, taken in blocks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from itertools import chain
from typing import TYPE_CHECKING

import av
import numpy as np
import numpy.typing as npt
from av.error import BlockingIOError as NeedsMore
from av.error import EOFError as Ended
from av.filter import Graph

from mouthpiece.core.timeline import SPEECH_RATE

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame

Sound = npt.NDArray[np.float32]

_TIME_BASE = Fraction(1, SPEECH_RATE)


class SoundFilter:
    """One filter, such as "ebur128" with its options."""

    def __init__(self, name: str, options: str) -> None:
        self._graph = Graph()
        self._source = self._graph.add_abuffer(
            sample_rate=SPEECH_RATE, format="flt", layout="mono", time_base=_TIME_BASE
        )
        middle = self._graph.add(name, options)
        # The filter may prefer other sample formats than ours.
        form = self._graph.add("aformat", "sample_fmts=flt:channel_layouts=mono")
        self._sink = self._graph.add("abuffersink")
        self._source.link_to(middle)
        middle.link_to(form)
        form.link_to(self._sink)
        self._graph.configure()
        self._taken = 0

    def feed(self, sound: Sound) -> Iterator[AudioFrame]:
        """Take the next block, full scale being ±1, and yield what comes out."""
        for first in range(0, len(sound), SPEECH_RATE):
            block = np.ascontiguousarray(sound[None, first : first + SPEECH_RATE], np.float32)
            frame = av.AudioFrame.from_ndarray(block, format="flt", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = SPEECH_RATE, self._taken, _TIME_BASE
            self._taken += block.shape[1]
            self._source.push(frame)
            yield from self._ready()

    def end(self) -> Iterator[AudioFrame]:
        """Yield what is left; nothing is taken after this."""
        self._source.push(None)
        yield from self._ready()

    def _ready(self) -> Iterator[AudioFrame]:
        while True:
            try:
                frame = self._sink.pull()
            except (NeedsMore, Ended):
                return
            if isinstance(frame, av.AudioFrame):
                yield frame


_WEAKER_DB = 12
"""How much noise is weakened: more would sound hollow."""
_HEADROOM_DB = 3.0
_QUIETEST_DB, _LOUDEST_DB = -80.0, -20.0
"""What the filter takes for the level of noise."""
_DELAY = SPEECH_RATE * 25 // 1000
"""Samples by which what comes out of the filter is late; a test watches over it."""


def denoised(blocks: Iterable[Sound], noise_db: float) -> Iterator[Sound]:
    """Sound with less steady noise, whose level is given, at the same place and as long as before."""
    level = min(max(noise_db + _HEADROOM_DB, _QUIETEST_DB), _LOUDEST_DB)
    cleaner = SoundFilter("afftdn", f"nr={_WEAKER_DB}:nf={level:.1f}")
    late = _DELAY
    for frame in _through(cleaner, chain(blocks, [np.zeros(_DELAY, np.float32)])):
        sound = frame.to_ndarray()[0]
        dropped = min(late, len(sound))
        late -= dropped
        yield sound[dropped:]


def _through(one: SoundFilter, blocks: Iterable[Sound]) -> Iterator[AudioFrame]:
    for block in blocks:
        yield from one.feed(block)
    yield from one.end()


def at_tempo(sound: Sound, rate: float) -> Sound:
    """A sound ``rate`` times as fast at the same pitch, 0.5 to 2."""
    if rate == 1 or not len(sound):
        return sound
    parts = [frame.to_ndarray()[0] for frame in _through(SoundFilter("atempo", f"{rate:.4f}"), [sound])]
    return np.concatenate(parts)
