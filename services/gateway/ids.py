"""Job ids that sort by the time they were made."""

from __future__ import annotations

import secrets
import time

_DIGITS = "0123456789abcdefghjkmnpqrstvwxyz"
_DIGIT_SET = frozenset(_DIGITS)


def new_job_id() -> str:
    """Letter j, ten digits of milliseconds since 1970 and fifteen random ones, in lower-case base 32."""
    return "j" + _base32(time.time_ns() // 1_000_000, 10) + _base32(secrets.randbits(75), 15)


def is_job_id(text: str) -> bool:
    """Whether a text is such an id."""
    return len(text) == 26 and text[0] == "j" and _DIGIT_SET.issuperset(text[1:])


def _base32(number: int, length: int) -> str:
    return "".join(_DIGITS[number >> (5 * place) & 31] for place in reversed(range(length)))
