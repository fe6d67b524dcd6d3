"""The tree of `mouthpiece.errors` on the wire: gRPC status with google.rpc details, and back."""

from __future__ import annotations

from collections.abc import Iterable

from google.protobuf.duration_pb2 import Duration
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc.aio import AioRpcError

from mouthpiece import errors

DOMAIN = "mouthpiece"
DETAILS_KEY = "grpc-status-details-bin"
_BROKEN_OFF = "Internal error from Core"
"""What grpc.aio says where it could not write any more, whatever the service answered (grpc issue 36066)."""
_MOST_MESSAGE, _MOST_VIOLATIONS = 1000, 2400
"""Bytes: in a header, three of the first become nine, and three of the second four."""


def to_proto(error: errors.MouthpieceError) -> status_pb2.Status:
    """The status of an error, with its details."""
    status = status_pb2.Status(code=code_pb2.Code.Value(error.status), message=error.message)
    match error:
        case errors.BadInput():
            request = error_details_pb2.BadRequest()
            for violation in error.violations:
                request.field_violations.add(field=violation.field, description=violation.description)
            status.details.add().Pack(request)
        case errors.Unmet():
            status.details.add().Pack(error_details_pb2.ErrorInfo(reason=error.reason.value, domain=DOMAIN))
        case errors.Busy() | errors.Unavailable():
            delay = Duration()
            delay.FromNanoseconds(int(error.retry_after * 1e9))
            status.details.add().Pack(error_details_pb2.RetryInfo(retry_delay=delay))
        case _:
            pass
    return status


def to_header(error: errors.MouthpieceError) -> status_pb2.Status:
    """The same, as short as a header must be: long texts are cut, and of many violations the first are told.

    Peers refuse headers of more than 8 KiB, and would hear of that instead of the error.
    """
    if isinstance(error, errors.BadInput):
        first, *more = _that_fit(error.violations)
        error = errors.BadInput(first.field, first.description, *more)
    status = to_proto(error)
    status.message = _brief(error.message, _MOST_MESSAGE)
    return status


def _that_fit(violations: Iterable[errors.Violation]) -> list[errors.Violation]:
    found: list[errors.Violation] = []
    room = _MOST_VIOLATIONS
    for violation in violations:
        brief = errors.Violation(_brief(violation.field, 100), _brief(violation.description, 500))
        room -= len((brief.field + brief.description).encode())
        if found and room < 0:
            break
        found.append(brief)
    return found


def _brief(text: str, most: int) -> str:
    """A text of at most so many bytes."""
    whole = text.encode()
    return text if len(whole) <= most else whole[: most - 3].decode(errors="ignore") + "…"


def from_proto(status: status_pb2.Status) -> errors.MouthpieceError:
    """The error that a status stands for."""
    message = status.message
    match code_pb2.Code.Name(status.code):
        case "INVALID_ARGUMENT":
            return _bad_input(status)
        case "FAILED_PRECONDITION":
            return _unmet(status)
        case "NOT_FOUND":
            return errors.NotFound(message)
        case "UNAUTHENTICATED":
            return errors.Unauthenticated(message)
        case "PERMISSION_DENIED":
            return errors.Forbidden(message)
        case "ALREADY_EXISTS":
            return errors.AlreadyExists(message)
        case "RESOURCE_EXHAUSTED":
            return errors.Busy(message, _retry_after(status))
        case "UNAVAILABLE":
            return errors.Unavailable(message, _retry_after(status))
        case "DATA_LOSS":
            return errors.DataLoss(message)
        case name:
            return errors.MouthpieceError(message or name)


def from_rpc_error(error: AioRpcError) -> errors.MouthpieceError:
    """The error that a failed call stands for."""
    for key, value in error.trailing_metadata() or ():
        if key == DETAILS_KEY and isinstance(value, bytes):
            return from_proto(status_pb2.Status.FromString(value))
    name = error.code().name
    if name == "INTERNAL" and error.details() == _BROKEN_OFF:
        return errors.Unavailable("the call ended while it was written")
    return from_proto(status_pb2.Status(code=code_pb2.Code.Value(name), message=error.details() or name))


def _bad_input(status: status_pb2.Status) -> errors.BadInput:
    request = error_details_pb2.BadRequest()
    for detail in status.details:
        detail.Unpack(request)  # leaves it empty when the detail is of another type
    found = [errors.Violation(v.field, v.description) for v in request.field_violations]
    if not found:
        return errors.BadInput("", status.message)
    return errors.BadInput(found[0].field, found[0].description, *found[1:])


def _unmet(status: status_pb2.Status) -> errors.MouthpieceError:
    info = error_details_pb2.ErrorInfo()
    for detail in status.details:
        detail.Unpack(info)
    if info.reason not in errors.Reason.__members__:
        return errors.MouthpieceError(status.message)
    return errors.Unmet(errors.Reason[info.reason], status.message)


def _retry_after(status: status_pb2.Status) -> float:
    info = error_details_pb2.RetryInfo()
    for detail in status.details:
        if detail.Unpack(info):
            return float(info.retry_delay.ToNanoseconds()) / 1e9
    return 1.0
