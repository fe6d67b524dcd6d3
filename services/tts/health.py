"""Which engines are worth asking. Pure: the clock is the caller's."""

from __future__ import annotations

from dataclasses import dataclass, field

FIRST_REST = 15.0
LONGEST_REST = 600.0
"""Seconds for which an engine that failed is not asked: doubled with each failure in a row."""


@dataclass(frozen=True, slots=True)
class Rest:
    """An engine that failed so many times in a row, why, and when it is asked again."""

    failures: int
    until: float
    reason: str


@dataclass(slots=True)
class Health:
    """What is known of the engines: those that failed, by name."""

    resting: dict[str, Rest] = field(default_factory=dict)

    def failed(self, engine: str, reason: str, now: float) -> None:
        """An engine failed."""
        known = self.resting.get(engine)
        failures = known.failures + 1 if known else 1
        rest = min(FIRST_REST * 2 ** (failures - 1), LONGEST_REST)
        self.resting[engine] = Rest(failures, now + rest, reason)

    def worked(self, engine: str) -> None:
        """An engine did what it was asked."""
        self.resting.pop(engine, None)

    def why_not(self, engine: str, now: float) -> str:
        """Why an engine is better not asked now; empty when it may be."""
        rest = self.resting.get(engine)
        return f"failed a moment ago: {rest.reason}" if rest and now < rest.until else ""
