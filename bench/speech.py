"""How fast speech is made: the first sound, each engine's pace, memory, and how clean the joins are.

Run as `python -m bench.speech`. Counts processor time, so that other work on the machine matters less.
"""

from __future__ import annotations

import resource
from time import process_time

import numpy as np

from bench.merge import machine
from mouthpiece.core.speech import Sentence
from mouthpiece.core.timeline import SPEECH_RATE
from services.tts.casting import Wish, cast
from services.tts.engine import REFERENCE_RATE, Reference
from services.tts.engines.embedded import EspeakEngine
from services.tts.performance import Fallback, Studio
from tests.support.tts_audio import samples_of, speak_aloud, to_rate

SENTENCE = "A sentence of the usual length is spoken here at leisure. "
TWENTY_MINUTES = SENTENCE * 330
NUMBERS = "It cost $5.50 on 2024-05-01, i.e. 10-15% more, and 1,234,567 people saw H2O at 10:30. " * 225
ONE_MINUTE = SENTENCE * 18


def main() -> None:
    print(f"speech, processor time, on {machine()}")
    studio = Studio()
    report("embedded", studio, TWENTY_MINUTES, Wish())
    report("embedded, full of numbers", studio, NUMBERS, Wish())
    sound = speak_aloud(SENTENCE * 3, "gmw/en-US+f3").sound
    reference = Reference("bench", to_rate(sound, SPEECH_RATE, REFERENCE_RATE))
    report("embedded, matched", studio, ONE_MINUTE, Wish(reference=reference))


def report(name: str, studio: Studio, text: str, wish: Wish) -> None:
    engines = (EspeakEngine(),)
    start = process_time()
    list(studio.perform(cast("One.", wish, engines), Fallback.NONE, slice(None), lambda: False))
    ready = process_time()
    spoken = studio.perform(cast(text, wish, engines), Fallback.NONE, slice(None), lambda: False)
    first = next(spoken)
    begun = process_time()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    samples, jump, peak = 0, 0, 0
    for part in spoken:
        if isinstance(part, Sentence):
            sound = samples_of(part)
            samples = part.samples.end
            jump = max(jump, abs(int(sound[0])), abs(int(sound[-1])))
            peak = max(peak, int(np.abs(sound).max()))
    done = process_time()
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert isinstance(first, Sentence)
    length = samples / SPEECH_RATE
    print(f"{name}: {length / 60:.0f} minutes of speech")
    print(f"  voice made ready     {1e3 * (ready - start):>8.0f} ms, once")
    print(f"  first sound          {1e3 * (begun - ready):>8.0f} ms")
    print(f"  of real time         {(done - begun) / length:>8.4f}")
    print(f"  memory grown         {grown / 1024:>8.1f} MiB")
    print(f"  jump at joins, peak  {jump:>8d} {peak:>8d} of 32768", flush=True)


if __name__ == "__main__":
    main()
