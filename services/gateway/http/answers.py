"""Messages and errors as JSON answers. JSON is that of protobuf, with the field names of the contracts."""

from __future__ import annotations

import math
from typing import Any

from google.protobuf import json_format
from google.protobuf.message import Message
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from mouthpiece.errors import BadInput, Busy, MouthpieceError, Unavailable
from mouthpiece.rpc.status import to_proto

HTTP_STATUS = {
    "INVALID_ARGUMENT": 400,
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    "NOT_FOUND": 404,
    "ALREADY_EXISTS": 409,
    "FAILED_PRECONDITION": 409,
    "RESOURCE_EXHAUSTED": 429,
    "INTERNAL": 500,
    "DATA_LOSS": 500,
    "UNAVAILABLE": 503,
}
"""HTTP status of each gRPC status."""


def as_dict(message: Message) -> dict[str, Any]:
    """A message as protobuf JSON; fields that are not set are left out."""
    return json_format.MessageToDict(message, preserving_proto_field_name=True)


def answer(message: Message, status: int = 200) -> JSONResponse:
    """A message as the body of an answer."""
    return JSONResponse(as_dict(message), status)


def problem(error: MouthpieceError, status: int = 0) -> JSONResponse:
    """An error as an answer: gRPC status, message and google.rpc details; Retry-After where it has one.

    ``status`` is its HTTP status if that is not the one of its gRPC status.
    """
    status = status or HTTP_STATUS.get(error.status, 500)
    headers: dict[str, str] = {}
    if isinstance(error, Busy | Unavailable):
        headers["Retry-After"] = str(math.ceil(error.retry_after))
    body = {
        "code": status,
        "status": error.status,
        "message": error.message,
        "details": as_dict(to_proto(error)).get("details", []),
    }
    return JSONResponse({"error": body}, status, headers)


def whole_number(request: Request, name: str) -> int:
    """A parameter of the query, 0 when it is missing. Raises `BadInput`."""
    text = request.query_params.get(name, "0")
    if not is_whole(text):
        raise BadInput(name, f"{text!r} is not a whole number")
    return int(text)


def is_whole(text: str) -> bool:
    """Whether a text is a whole number of at most 15 digits."""
    return text.isascii() and text.isdigit() and len(text) < 16


def no_content() -> Response:
    """Done, and nothing to say."""
    return Response(status_code=204)
