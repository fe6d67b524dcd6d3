"""What gateways on one database tell each other: short notices, sent with the change that they are about.

A notice names rows instead of carrying them. One that is lost does no harm: whoever listens again looks
at the rows themselves.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from dataclasses import dataclass
from enum import Enum

CHANNEL = "mouthpiece"

MOST_BYTES = 5_800
"""Longest body: PostgreSQL carries payloads of less than 8000 bytes, and base 64 makes four of three."""


class Kind(Enum):
    """What a notice is about."""

    SUBMITTED = "submitted"
    """A job was stored."""
    CALLED_OFF = "called-off"
    """Somebody wants a job cancelled."""
    HAPPENED = "happened"
    """An event of a job was stored."""
    FORGOTTEN = "forgotten"
    """A job was deleted."""
    WATCHED = "watched"
    """Somebody watches a job at another gateway than the leader: its progress is wanted."""
    PROGRESS = "progress"
    """Live figures of a job; the body is the event."""
    VACANT = "vacant"
    """The leader has stepped down."""


@dataclass(frozen=True, slots=True)
class Notice:
    """One notice; `job` is empty when it is about none."""

    kind: Kind
    job: str = ""
    body: bytes = b""

    def payload(self) -> str:
        """As PostgreSQL carries it."""
        return f"{self.kind.value} {self.job} {b64encode(self.body).decode()}"


def read_notice(payload: str) -> Notice:
    """The notice of a payload. Raises `ValueError` for one of another release."""
    kind, job, body = payload.split(" ")
    return Notice(Kind(kind), job, b64decode(body, validate=True))
