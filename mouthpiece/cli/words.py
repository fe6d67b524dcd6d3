"""Figures as people read them."""

from __future__ import annotations

from datetime import UTC
from fractions import Fraction

from google.protobuf.timestamp_pb2 import Timestamp

from mouthpiece.v1.gateway_pb2 import Waiting

_UNITS = ("bytes", "kB", "MB", "GB", "TB")


def clock(seconds: float) -> str:
    """A length of time as 0:07, 12:30 or 1:02:03."""
    whole = max(0, round(seconds))
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def brief(seconds: float) -> str:
    """A length of time as 0.25 s, 12.3 s, 3 min, 2.5 h or 4 days."""
    if seconds < 1:
        return f"{seconds:.2f} s"
    if seconds < 120:
        return f"{seconds:.1f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 172_800 else f"{seconds / 86_400:.0f} days"


def time_of_day(moment: Timestamp) -> str:
    """A moment on the clock of whoever reads it, as 14:03."""
    return moment.ToDatetime(tzinfo=UTC).astimezone().strftime("%H:%M")


def waits_for(waiting: Waiting) -> str:
    """What a job that nobody can render waits for."""
    since, until = time_of_day(waiting.since), time_of_day(waiting.until)
    return f"since {since}, until {until} at most: {waiting.reason}"


def size(count: float) -> str:
    """A number of bytes as 512 bytes, 1.5 MB or 12 GB, in powers of 1000."""
    unit = 0
    while count >= 999.5 and unit < len(_UNITS) - 1:
        count /= 1000
        unit += 1
    digits = 0 if unit == 0 or count >= 99.5 else 1
    return f"{count:.{digits}f} {_UNITS[unit]}"


def rate(fps: Fraction) -> str:
    """A frame rate as 25 or 29.97."""
    return f"{float(fps):.2f}".rstrip("0").rstrip(".")


def count(number: int, noun: str) -> str:
    """A number and its noun: 1 worker, 2 workers."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def excerpt(text: str, width: int) -> str:
    """The beginning of a text on one line."""
    line = " ".join(text.split())
    return line if len(line) <= width else line[: width - 1].rstrip() + "…"
