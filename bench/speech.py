"""How fast speech is made: the first sound, each engine's pace, memory, and how clean the joins are.

Run as `python -m bench speech`. Counts processor time, so that other work on the machine matters less.
"""

from __future__ import annotations

import resource
from pathlib import Path
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
FIRST_SENTENCES = {
    "full of numbers": NUMBERS,
    "without any mark": "some words that go on and on without any mark at all " * 400,
    "full of formulas": r"Let $\int_0^1 \frac{x^2+1}{\sqrt{x}} dx = \sum_{n=0}^\infty \frac{1}{n!}$ hold "
    * 300,
    "Russian numbers": "Цена 1 234 567 рублей 5.05.2024 и 10-15 % больше в 21-м веке около 5 км от № 7 "
    * 240,
    "Chinese, unbroken": "你好世界今天天气很好我们去公园散步好吗" * 300,
}


def main() -> None:
    print(f"speech, processor time, on {machine()}")
    studio = Studio()
    report_first_sounds(studio)
    report("embedded", studio, TWENTY_MINUTES, Wish())
    report("embedded, full of numbers", studio, NUMBERS, Wish())
    sound = speak_aloud(SENTENCE * 3, "gmw/en-US+f3").sound
    reference = Reference("bench", to_rate(sound, SPEECH_RATE, REFERENCE_RATE))
    report("embedded, matched", studio, ONE_MINUTE, Wish(reference=reference))


def report_first_sounds(studio: Studio) -> None:
    """Of twenty minutes whose first sentence is hard to begin with: the worst of three calls."""
    engines = (EspeakEngine(),)
    for name, text in FIRST_SENTENCES.items():
        times: list[float] = []
        for _ in range(4):  # the first one gets the voice ready
            start = process_time()
            chosen = cast(text, Wish(), engines)
            assert chosen.roughly_expected_samples
            next(studio.perform(chosen, Fallback.NONE, slice(None), lambda: False))
            times.append(process_time() - start)
        print(f"first sound, {name:<20} {1e3 * max(times[1:]):>5.0f} ms")


def memory() -> int:
    """Bytes of this process in memory now."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize()


def report(name: str, studio: Studio, text: str, wish: Wish) -> None:
    engines = (EspeakEngine(),)
    start = process_time()
    list(studio.perform(cast("One.", wish, engines), Fallback.NONE, slice(None), lambda: False))
    ready = process_time()
    spoken = studio.perform(cast(text, wish, engines), Fallback.NONE, slice(None), lambda: False)
    first = next(spoken)
    begun = process_time()
    samples, jump, peak, early = 0, 0, 0, 0
    for part in spoken:
        if isinstance(part, Sentence):
            sound = samples_of(part)
            samples = part.samples.end
            if not early and samples > SPEECH_RATE * 60:
                early = memory()
            jump = max(jump, abs(int(sound[0])), abs(int(sound[-1])))
            peak = max(peak, int(np.abs(sound).max()))
    done = process_time()
    late = memory()
    assert isinstance(first, Sentence)
    length = samples / SPEECH_RATE
    print(f"{name}: {length / 60:.0f} minutes of speech")
    print(f"  voice made ready     {1e3 * (ready - start):>8.0f} ms, once")
    print(f"  first sound          {1e3 * (begun - ready):>8.0f} ms")
    print(f"  of real time         {(done - begun) / length:>8.4f}")
    if early:
        print(f"  memory grown         {(late - early) / 2**20:>8.1f} MiB, after the first minute")
    print(f"  jump at joins, peak  {jump:>8d} {peak:>8d} of 32768", flush=True)


if __name__ == "__main__":
    main()
