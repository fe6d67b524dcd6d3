"""Bodies of requests: JSON as a message or as an object, and the field that is wrong in it."""

from __future__ import annotations

import re
from typing import Any, TypeVar, cast

from google.protobuf import json_format
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from starlette.requests import Request

from mouthpiece.errors import BadInput

_Message = TypeVar("_Message", bound=Message)

# What json_format says of a field, once for each message that it is in, and of one that there is not.
_WRONG = re.compile(r"Failed to parse (\w+) field: ")
_UNKNOWN = re.compile(r'has no field named "([^"]*)"')

_KINDS = {
    FieldDescriptor.CPPTYPE_STRING: "text",
    FieldDescriptor.CPPTYPE_BOOL: "true or false",
    FieldDescriptor.CPPTYPE_INT32: "a whole number of 32 bits",
    FieldDescriptor.CPPTYPE_INT64: "a whole number of 64 bits",
    FieldDescriptor.CPPTYPE_DOUBLE: "a number",
}
_TIMES = {
    "google.protobuf.Duration": 'a duration such as "1.5s"',
    "google.protobuf.Timestamp": 'a time such as "2026-01-31T12:00:00Z"',
}


async def body_as(kind: type[_Message], request: Request, name: str) -> _Message:
    """The body of a request as a message, which errors call ``name``. Raises `BadInput` when it is none."""
    message = kind()
    try:
        json_format.Parse(await request.body(), message)
    except (json_format.ParseError, UnicodeDecodeError) as error:
        raise _unreadable(cast("Descriptor", kind.DESCRIPTOR), str(error), name) from None
    return message


async def json_object(request: Request) -> dict[str, Any]:
    """The body of a request as a JSON object. Raises `BadInput` when it is none."""
    try:
        body = await request.json()
    except (ValueError, RecursionError):
        raise BadInput("", "the body is not JSON") from None
    if not isinstance(body, dict):
        raise BadInput("", "the body is not a JSON object")
    return body


def _unreadable(kind: Descriptor, said: str, name: str) -> BadInput:
    """What the reader ``said`` about the JSON of a message, as the field that is wrong."""
    inner: Descriptor | None = kind
    field: FieldDescriptor | None = None
    path = [name]
    for part in _WRONG.findall(said):
        field = inner.fields_by_name.get(part) if inner else None
        inner = field.message_type if field else None
        path.append(part)
    if unknown := _UNKNOWN.search(said):
        return BadInput(".".join([*path, unknown[1]]), "there is no such field")
    if field:
        return BadInput(".".join(path), f"must be {_wanted(field)}")
    return BadInput("", f"the body is not a {kind.name} in JSON: {said.splitlines()[0]}")


def _wanted(field: FieldDescriptor) -> str:
    one = _one_wanted(field)
    return f"a list, each of it {one}" if field.is_repeated else one


def _one_wanted(field: FieldDescriptor) -> str:
    if field.enum_type:
        return f"one of {', '.join(value.name for value in field.enum_type.values if value.number)}"
    if field.message_type:
        told = f"an object with {', '.join(inner.name for inner in field.message_type.fields)}"
        return _TIMES.get(field.message_type.full_name, told)
    return _KINDS.get(field.cpp_type, "something else")
