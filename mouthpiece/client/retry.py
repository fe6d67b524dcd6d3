"""When to try again, and when to stop trying."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a client puts up with a gateway that does not answer.

    `seconds` without an answer end a call with `Unavailable`. Waits begin at `first_wait` and double up to
    `longest_wait`, all in seconds.
    """

    seconds: float = 60.0
    first_wait: float = 0.1
    longest_wait: float = 2.0


class Backoff:
    """The waits of one call. Pure: it is told the time and the chance, and only decides."""

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self._failures = 0
        self._silent_since: float | None = None

    def heard(self) -> None:
        """The other side has answered: the count starts anew."""
        self._failures = 0
        self._silent_since = None

    def failed(self, now: float, chance: float, hint: float = 0.0) -> float | None:
        """Seconds to wait before the next attempt, or None to give up.

        `now` comes from a monotonic clock, `chance` is uniform in [0, 1) and keeps many clients from
        returning at the same moment, `hint` is what the server asked for.
        """
        if self._silent_since is None:
            self._silent_since = now
        left = self._silent_since + self._patience.seconds - now
        if left <= 0:
            return None
        doubled = self._patience.first_wait * 2.0 ** min(self._failures, 30)
        self._failures += 1
        wait = min(doubled, self._patience.longest_wait) * (0.5 + chance / 2)
        return min(max(wait, hint), left)
