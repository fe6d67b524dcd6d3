"""Messages with whatever may stand in their fields."""

from __future__ import annotations

import random
from collections.abc import MutableSequence
from typing import Any, TypeVar

from google.protobuf.descriptor import FieldDescriptor as Field
from google.protobuf.message import Message

_Message = TypeVar("_Message", bound=Message)

TEXTS = (
    *(
        "",
        " ",
        "\0",
        "a\0b",
        "x" * 6000,
        "🎉",
        "\u202e",
        "../../etc/passwd",
        "%s{0}$(id)",
        "\r\n",
        "nan",
        "-1",
    ),
    *("0" * 64, "f" * 63 + "\0", "en", "libx264", "viseme", "j" + "0" * 25, "j" + "\0" * 25, "Hello there."),
    *(
        "<speak>",
        "<speak><p>One.</p></speak>",
        "#20304a",
        "#" + "9" * 6,
        "https://example.org/",
        "file:///etc",
    ),
)
WHOLES = (0, 1, -1, 2, 7, 25, 255, 1000, 48_000, 2**31 - 1, -(2**31), 2**62, -(2**63))
REALS = (0.0, -0.0, 1.0, -1.0, 0.5, 1e-300, 1e300, float("inf"), float("-inf"), float("nan"))
BLOCKS = (b"", b"\0", b"\0" * 960, b"\xff" * 961, bytes(range(256)) * 8)

_BITS = {
    Field.CPPTYPE_INT32: (-(2**31), 2**31 - 1),
    Field.CPPTYPE_UINT32: (0, 2**32 - 1),
    Field.CPPTYPE_INT64: (-(2**63), 2**63 - 1),
    Field.CPPTYPE_UINT64: (0, 2**64 - 1),
    Field.CPPTYPE_ENUM: (-(2**31), 2**31 - 1),
}
_DEEPEST = 4


def nasty(kind: type[_Message], seed: int) -> _Message:
    """One of many messages of a kind, always the same for a seed."""
    message = kind()
    _fill(message, random.Random(seed), 0)
    return message


def with_one_nasty(message: _Message, seed: int) -> _Message:
    """A copy of a message in which one field, at whatever depth, has something else in it."""
    copy = type(message)()
    copy.CopyFrom(message)
    _change(copy, random.Random(seed))
    return copy


def _change(message: Message, chance: random.Random) -> None:
    fields: list[Any] = list(message.DESCRIPTOR.fields)
    field = chance.choice(fields)
    held: Any = getattr(message, field.name)
    match held:
        case Message():
            held.SetInParent()
            _change_inner(held, chance)
        case MutableSequence() if field.message_type is not None:
            _change_inner(_added(held), chance)
        case MutableSequence():
            held.append(_value(field, chance))
        case _:
            setattr(message, field.name, _value(field, chance))


def _change_inner(message: Message, chance: random.Random) -> None:
    if message.DESCRIPTOR.fields and chance.random() < 0.9:
        _change(message, chance)


def _added(messages: Any) -> Message:
    made: Message = messages.add()
    return made


def _fill(message: Message, chance: random.Random, depth: int) -> None:
    share = chance.choice((0.2, 0.5, 0.9))
    for field in message.DESCRIPTOR.fields:
        held: Any = getattr(message, field.name)
        if chance.random() > share or (field.message_type is not None and depth >= _DEEPEST):
            continue
        match held:
            case MutableSequence() if field.message_type is not None:
                for _ in range(chance.choice((1, 3))):
                    _fill(_added(held), chance, depth + 1)
            case MutableSequence():
                held.extend(_value(field, chance) for _ in range(chance.choice((1, 3, 40))))
            case Message():
                held.SetInParent()
                _fill(held, chance, depth + 1)
            case _:
                setattr(message, field.name, _value(field, chance))


def _value(field: Any, chance: random.Random) -> Any:
    match field.cpp_type:
        case Field.CPPTYPE_STRING:
            return chance.choice(BLOCKS if field.type == Field.TYPE_BYTES else TEXTS)
        case Field.CPPTYPE_BOOL:
            return chance.random() < 0.5
        case Field.CPPTYPE_DOUBLE | Field.CPPTYPE_FLOAT:
            return chance.choice(REALS)
        case cpp_type:
            low, high = _BITS[cpp_type]
            return min(max(chance.choice(WHOLES), low), high)
