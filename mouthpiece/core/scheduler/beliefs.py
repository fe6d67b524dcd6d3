"""What the scheduler has learned about speeds and costs."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import exp, log, log2

from mouthpiece.core.scheduler.events import Timings

_NOISE = 0.02
"""Variance of the logarithm of one measured speed."""
_DRIFT = 0.002
"""By how much the variance of a belief grows with every measurement, so that it never stops learning."""
_WILD = 1.5
"""Largest surprise (logarithm) that is taken at face value."""
_GAIN = 0.3
_CALIBRATION_GAIN = 0.1
_ODD = 0.12
"""Error of an estimate (logarithm) beyond which it counts no more: about the usual one, so that the median is
learned. Jobs that others delay or that meet a straggler must not move the rest."""
_SHORT = 0.25
"""Estimates below this many seconds are not judged."""

Kind = tuple[bool, bool, bool, int, int]
"""What an estimate is compared by."""


@dataclass(slots=True)
class Factor:
    """A positive number that is known only roughly: mean and variance of its logarithm."""

    mean: float
    variance: float
    value: float = field(init=False)
    """The number itself."""

    def __post_init__(self) -> None:
        self.value = exp(self.mean)

    def move(self, surprise: float, gain: float) -> None:
        """Take a part of a surprise to heart."""
        self.mean += gain * surprise
        self.variance = self.variance * (1 - gain) + _DRIFT
        self.value = exp(self.mean)


def factor(value: float, variance: float) -> Factor:
    """A belief centred on ``value``."""
    return Factor(log(value), variance)


def learn_speed(measured: float, worker: Factor, job: Factor) -> None:
    """Share the surprise of a measured speed (frames/s) between a worker's rate and a job's pace.

    Each takes as much as it was uncertain: a Kalman update of a sum of two logarithms.
    """
    surprise = min(max(log(measured) - worker.mean - job.mean, -_WILD), _WILD)
    total = worker.variance + job.variance + _NOISE
    for belief in (worker, job):
        belief.move(surprise, belief.variance / total)


@dataclass(slots=True)
class Costs:
    """Seconds that an attempt takes beside rendering frames."""

    prep: float
    setup: float
    resume: float
    _known: dict[str, bool] = field(default_factory=dict[str, bool])

    def learn(self, timings: Timings, prep: float, *, resumed: bool) -> None:
        """Move towards what was measured; the first measurement counts in full.

        ``prep`` is what preparing was expected to take still: it may have begun before the attempt.
        """
        if timings.prep > 0:
            self.prep = self._towards("prep", self.prep, max(self.prep + timings.prep - prep, 0.0))
        if resumed:
            self.resume = self._towards("resume", self.resume, timings.setup)
        else:
            self.setup = self._towards("setup", self.setup, timings.setup)

    def start(self, *, warm: bool) -> float:
        """Seconds until a worker that was elsewhere renders its first frame."""
        return self.setup + (0.0 if warm else self.prep)

    def _towards(self, name: str, old: float, measured: float) -> float:
        gain = _GAIN if self._known.get(name) else 1.0
        self._known[name] = True
        return old + gain * (measured - old)


@dataclass(frozen=True, slots=True)
class Estimate:
    """How many seconds a job was expected to need from ``at`` on, and how far it was then."""

    at: float
    seconds: float
    spoken: bool
    """Whether its speech was complete,"""
    flying: bool
    """whether all of it was done or in flight,"""
    halfway: bool
    """whether it had lived for longer than it was expected to need still,"""
    heads: int
    """and how many heads rendered it."""

    @property
    def kind(self) -> Kind:
        """Estimates of one kind err alike: seconds count by powers of four, heads by powers of two."""
        size = round(log2(max(self.seconds, _SHORT)) / 2)
        return self.spoken, self.flying, self.halfway, size, self.heads.bit_length()


@dataclass(slots=True)
class Calibration:
    """How estimates compared with what came, by their kind: "what looks like 8 s takes 10 s"."""

    _bias: dict[Kind, tuple[float, int]] = field(default_factory=dict[Kind, tuple[float, int]])
    """The usual logarithm of what came by what was expected, and how many were compared."""

    def correct(self, estimate: Estimate) -> float:
        """Seconds in the light of earlier estimates of that kind."""
        return estimate.seconds * exp(self._bias.get(estimate.kind, (0.0, 0))[0])

    def learn(self, estimate: Estimate, ended: float) -> None:
        """Compare an uncorrected estimate with what came; the first comparisons count for more."""
        actual = ended - estimate.at
        if estimate.seconds < _SHORT or actual < _SHORT:
            return
        bias, known = self._bias.get(estimate.kind, (0.0, 0))
        error = min(max(log(actual / estimate.seconds) - bias, -_ODD), _ODD)
        gain = max(_CALIBRATION_GAIN, 1 / (known + 2))
        self._bias[estimate.kind] = bias + gain * error, known + 1
