"""What avatars are accepted."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """What is accepted: pixels of a frame, bytes of a file.

    Of a video, `max_clip_seconds` are used, and fewer when prepared frames would take more than
    `max_clip_bytes`.
    """

    max_pixels: int = 40_000_000
    max_bytes: int = 2 << 30
    max_clip_seconds: float = 60.0
    max_clip_bytes: int = 4 << 30
