"""Imaginary jobs: when they come, how long they speak, where their speech pauses."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from random import Random

from mouthpiece.core.scheduler.events import JobSubmitted, Mode, SpeechGrew
from mouthpiece.core.speech import CutGrade, CutMark

FPS = Fraction(25)
ENGINE = "viseme"
VERSION = "1"


@dataclass(frozen=True, slots=True)
class SizeClass:
    """Jobs of one kind: how often they come, and how many seconds they speak (uniform)."""

    name: str
    share: float
    shortest: float
    longest: float

    @property
    def mean(self) -> float:
        """Mean seconds of speech."""
        return (self.shortest + self.longest) / 2


SHORT = SizeClass("short", 0.70, 5.0, 15.0)
MEDIUM = SizeClass("medium", 0.25, 30.0, 60.0)
LONG = SizeClass("long", 0.05, 180.0, 1800.0)
MIX = (SHORT, MEDIUM, LONG)


@dataclass(frozen=True, slots=True)
class Mixture:
    """What kind of jobs come. Seconds; ``speech_pace`` is synthesis time per second of speech."""

    classes: tuple[SizeClass, ...] = MIX
    avatars: int = 40
    tenants: int = 5
    flood: float = 0.0
    """Part of the jobs that come from one tenant alone, beside its share of the rest."""
    speech_pace: float = 0.2
    speech_start: float = 0.3
    speech_tail: float = 0.1
    """Sound after a frame that must exist before it can be rendered."""

    @property
    def mean(self) -> float:
        """Mean seconds of speech of a job."""
        total = sum(one.share for one in self.classes)
        return sum(one.share * one.mean for one in self.classes) / total


@dataclass(frozen=True, slots=True)
class Arrival:
    """A job, when it comes, and when its speech grows (seconds after that)."""

    at: float
    size: SizeClass
    seconds: float
    job: JobSubmitted
    speech: tuple[tuple[float, SpeechGrew], ...]


def arrivals(random: Random, mixture: Mixture, jobs: int, per_second: float) -> list[Arrival]:
    """Jobs at random times, ``per_second`` in the mean."""
    at = 0.0
    made: list[Arrival] = []
    for number in range(jobs):
        at += random.expovariate(per_second)
        size = random.choices(mixture.classes, [one.share for one in mixture.classes])[0]
        made.append(arrival(random, mixture, f"j{number:05d}", at, size))
    return made


def arrival(random: Random, mixture: Mixture, name: str, at: float, size: SizeClass) -> Arrival:
    """One job of a size; its avatar is one of few popular or many rare ones."""
    seconds = random.uniform(size.shortest, size.longest)
    expected = seconds * random.uniform(0.85, 1.15)
    job = JobSubmitted(
        job=name,
        tenant=f"tenant{0 if random.random() < mixture.flood else random.randrange(mixture.tenants)}",
        avatar=f"avatar{min(int(random.paretovariate(0.8)), mixture.avatars)}",
        engine=ENGINE,
        version=VERSION,
        fps=FPS,
        expected_frames=round(expected * FPS),
        mode=Mode.AUTO,
    )
    return Arrival(at, size, seconds, job, tuple(_speech(random, mixture, job, seconds)))


def _speech(
    random: Random, mixture: Mixture, job: JobSubmitted, seconds: float
) -> Iterator[tuple[float, SpeechGrew]]:
    """Sentence by sentence, each when it was synthesised; the expected rest stays as wrong as it was."""
    error = job.expected_frames / float(FPS) / seconds
    begun, total = 0.0, round(seconds * FPS)
    while begun < seconds:
        ended = begun + min(max(random.lognormvariate(1.1, 0.5), 0.8), 12.0)
        final = ended >= seconds - 0.8
        ended = seconds if final else ended
        ready = total if final else max(0, int((ended - mixture.speech_tail) * FPS))
        marks = tuple(_marks(random, begun, ended, total))
        expected = max(ready, round((ended + (seconds - ended) * error) * FPS))
        grown = SpeechGrew(job.job, ready, marks, final, expected)
        yield mixture.speech_start + ended * mixture.speech_pace, grown
        begun = ended


def _marks(random: Random, begun: float, ended: float, total: int) -> Iterator[CutMark]:
    """Gaps between words about every third of a second, every sixth of them a pause; the sentence's end."""
    last = int(begun * FPS)
    at = begun + random.uniform(0.2, 0.6)
    while at < ended - 0.15:
        frame = int(at * FPS)
        if frame > last:
            last = frame
            yield CutMark(frame, CutGrade.PAUSE if random.random() < 1 / 6 else CutGrade.WORD)
        at += random.uniform(0.15, 0.6)
    end = min(int(ended * FPS), total)
    if end > last:
        yield CutMark(end, CutGrade.SENTENCE)
