"""One tree of errors, each with one gRPC status.

    MouthpieceError                INTERNAL
    ├── BadInput                   INVALID_ARGUMENT      correct the named field
    ├── Unmet                      FAILED_PRECONDITION   `reason` tells what is missing
    ├── NotFound                   NOT_FOUND
    ├── Unauthenticated            UNAUTHENTICATED       show a valid token
    ├── Forbidden                  PERMISSION_DENIED     the token lacks a scope
    ├── AlreadyExists              ALREADY_EXISTS        the request id was used for something else
    ├── Busy                       RESOURCE_EXHAUSTED    come back after `retry_after`
    ├── Unavailable                UNAVAILABLE           the only one that clients retry by themselves
    └── DataLoss                   DATA_LOSS             an artifact does not match its name

Code raises these wherever it finds the fault; `mouthpiece.rpc.status` converts them at the edge.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from typing import ClassVar


class Reason(Enum):
    """Machine-readable reasons of `Unmet`, sent as ErrorInfo."""

    NO_FACE = "NO_FACE"
    ENGINE_UNKNOWN = "ENGINE_UNKNOWN"
    WEIGHTS_MISSING = "WEIGHTS_MISSING"
    ENCODER_MISSING = "ENCODER_MISSING"
    ENGINE_UNAVAILABLE = "ENGINE_UNAVAILABLE"
    JOB_NOT_DONE = "JOB_NOT_DONE"
    JOB_RUNNING = "JOB_RUNNING"
    VOICE_FAILED = "VOICE_FAILED"


@dataclass(frozen=True, slots=True)
class Violation:
    """A field of the request, by its proto path, and what is wrong with it."""

    field: str
    description: str


class MouthpieceError(Exception):
    """Something failed that is nobody's fault in particular. Report it with the log."""

    status: ClassVar[str] = "INTERNAL"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    def __reduce__(self) -> tuple[Callable[..., MouthpieceError], tuple[object, ...]]:
        """Pickles as it is: constructors take other things than what `Exception` passes them again."""
        return _restored, (type(self), self.args, vars(self))


def _restored(
    kind: type[MouthpieceError], args: tuple[object, ...], state: dict[str, object]
) -> MouthpieceError:
    error = kind.__new__(kind, *args)
    vars(error).update(state)
    return error


class BadInput(MouthpieceError):
    """The request is wrong. Correct the fields named in `violations`; trying again unchanged is useless."""

    status = "INVALID_ARGUMENT"

    def __init__(self, field: str, description: str, *more: Violation) -> None:
        super().__init__(f"{field}: {description}" if field else description)
        self.violations = (Violation(field, description), *more)

    def renamed(self, names: Mapping[str, str]) -> BadInput:
        """The same in the words of another request, whose ``names`` of fields are given by those here."""
        told = [Violation(names.get(v.field, v.field), v.description) for v in self.violations]
        return BadInput(told[0].field, told[0].description, *told[1:])


class Unmet(MouthpieceError):
    """The request is fine, but something it needs is not there; `reason` says what."""

    status = "FAILED_PRECONDITION"

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class NotFound(MouthpieceError):
    """What was named does not exist, or is not the caller's."""

    status = "NOT_FOUND"


class Unauthenticated(MouthpieceError):
    """Nobody knows who calls: there is no token, or it is not valid (any more)."""

    status = "UNAUTHENTICATED"


class Forbidden(MouthpieceError):
    """The caller is known and may not do this."""

    status = "PERMISSION_DENIED"


class AlreadyExists(MouthpieceError):
    """The request id was used with another request. Choose a new one."""

    status = "ALREADY_EXISTS"


class Busy(MouthpieceError):
    """There is no room now. Come back after `retry_after` seconds."""

    status = "RESOURCE_EXHAUSTED"

    def __init__(self, message: str, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Unavailable(MouthpieceError):
    """The service cannot answer now. Clients retry after `retry_after` seconds."""

    status = "UNAVAILABLE"

    def __init__(self, message: str, retry_after: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class DataLoss(MouthpieceError):
    """Stored content does not match its name. It was damaged; store it again."""

    status = "DATA_LOSS"


_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})
_NO_ROOM_SECONDS = 60.0
"""Until somebody whose file did not fit may come back: room is made by deletion, which takes its time."""


def is_full_disk(error: BaseException) -> bool:
    """Whether an error says that a file did not fit on its disk, or into its owner's quota."""
    return isinstance(error, OSError) and error.errno in _NO_ROOM


def as_told(error: BaseException) -> MouthpieceError:
    """What callers hear of an error that none of us raised: that a disk is full, or else nothing."""
    if is_full_disk(error):
        return Busy("a disk of the service is full", _NO_ROOM_SECONDS)
    return MouthpieceError("internal error; the service's log tells more")


@contextmanager
def writing(what: str) -> Generator[None]:
    """Raise `Busy` when the disk with something is full."""
    try:
        yield
    except OSError as error:
        if not is_full_disk(error):
            raise
        raise Busy(f"the disk with {what} is full", _NO_ROOM_SECONDS) from None
