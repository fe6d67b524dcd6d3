"""What a HeyGem video container says, and what it means. Pure.

Codes and their meaning are those of the published server; `success` is no guide, for the container calls
its refusal of a task while another one runs a success, too.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import Any

from mouthpiece.errors import Unavailable


class Code(IntEnum):
    """The outer code of an answer."""

    OK = 10000
    BUSY = 10001
    """Another task runs; nothing was queued."""
    BAD_PARAMETER = 10002
    LOCKED = 10003
    UNKNOWN_TASK = 10004
    """Never submitted, forgotten in a restart, or its end was told already."""
    FAULT = 9999


class Stage(Enum):
    """How far a task is."""

    RUNNING = 1
    DONE = 2
    FAILED = 3


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer, read. ``stage`` is None unless it is about a known task; ``progress`` is 0 to 100."""

    code: int
    message: str
    stage: Stage | None = None
    progress: int = 0
    result: str = ""

    @property
    def ended(self) -> bool:
        """Whether it tells the end of a task, which the container tells once."""
        return self.stage in (Stage.DONE, Stage.FAILED)


class Garbled(Unavailable):
    """The container's answer makes no sense: it is not ready, or something else answers at its address."""


def read_answer(body: str) -> Answer:
    """Read the body of an answer, whatever its content type says. Raises `Garbled`."""
    try:
        document = json.loads(body)
        if isinstance(document, str):  # some images encode twice
            document = json.loads(document)
        return _answer(document)
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        raise Garbled(f"the container's answer cannot be read: {body[:200]!r}") from None


def _answer(document: dict[str, Any]) -> Answer:
    code, message, data = int(document["code"]), str(document.get("msg", "")), document.get("data") or {}
    if code != Code.OK or "status" not in data:
        return Answer(code, message)
    return Answer(
        code,
        str(data.get("msg") or message),
        Stage(int(data["status"])),
        int(data.get("progress") or 0),
        str(data.get("result") or ""),
    )


_QUEUE_FULL = ("队列满", "严重阻塞")
_HINTS = {
    "format audio error": "it cannot read the speech: does it see the shared folder?",
    "获取音频时长失败": "it does not see the speech: check the shared folder and its path in the container",
}


def needs_restart(message: str) -> bool:
    """Whether the container says that its queues are stuck, from which it does not recover by itself."""
    return any(part in message for part in _QUEUE_FULL)


def explain(message: str) -> str:
    """A failure as the container tells it, with what it usually means."""
    hint = next((hint for part, hint in _HINTS.items() if part in message), "")
    return f"the container failed: {message}" + (f" ({hint})" if hint else "")


_CEILINGS = ((100, 1.0), (20, 0.98), (5, 0.2), (0, 0.05))
"""The container names four milestones; from each on, the next one is not passed before it is reached."""


def share_done(progress: int, elapsed: float, expected: float) -> float:
    """Part of a task that is probably done, 0 to 1, ``elapsed`` seconds after it began."""
    floor, ceiling = next((at / 100, top) for at, top in _CEILINGS if progress >= at)
    guess = elapsed / expected if expected > 0 else 0.0
    return min(max(guess, floor), ceiling)
