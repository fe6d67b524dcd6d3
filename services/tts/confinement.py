"""Recordings and voice references of strangers, first decoded in a child with limits.

A recording is decoded again in the service while its sound is handed out: the child has then decoded the
same bytes, by the same code, to their end, so what would exhaust or crash a decoder was refused there. Moving
an hour of sound between processes instead would cost as much as decoding it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from mouthpiece.media.sandbox import Bounds, confined, get_ready
from services.tts import decoding, references
from services.tts.engine import Reference
from services.tts.espeak import Cancelled
from services.tts.recording import Care, Recording, survey

_LEAST_CPU_SECONDS = 60
_CPU_SHARE = 4
"""Sound takes a small part of its length; this is many times that, with every care asked for."""


def open_confinement() -> None:
    """Start what children come from, so that the first recording need not wait for it."""
    get_ready((__name__,))


def survey_confined(path: Path, limit_seconds: float, cancelled: Callable[[], bool], care: Care) -> Recording:
    """`survey` in a child. Raises what that raises, and `BadInput` when it takes too much."""
    work = partial(survey, path, limit_seconds, care=care)
    return confined(decoding.FIELD, bounds(limit_seconds), work, _check(cancelled))


def read_reference_confined(
    path: Path, sha256: str, limit_seconds: float, *, denoise: bool, cancelled: Callable[[], bool]
) -> Reference:
    """`read_reference` in a child. Raises what that raises, and `BadInput` when it takes too much."""
    work = partial(references.read_reference, path, sha256, limit_seconds, denoise=denoise)
    return confined(references.FIELD, bounds(limit_seconds), work, _check(cancelled))


def bounds(limit_seconds: float) -> Bounds:
    """What a recording of at most so many seconds may take."""
    cpu = _LEAST_CPU_SECONDS + int(limit_seconds / _CPU_SHARE)
    return Bounds(cpu, 3.0 * cpu)


def _check(cancelled: Callable[[], bool]) -> Callable[[], None]:
    def check() -> None:
        if cancelled():
            raise Cancelled

    return check
