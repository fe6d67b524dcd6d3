"""The OpenAPI 3.1 document: made from the table of endpoints and the contracts' descriptors."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, cast

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from mouthpiece import __version__
from mouthpiece.errors import MouthpieceError
from services.gateway.http.answers import HTTP_STATUS
from services.gateway.http.endpoints import Content, Endpoint

_Json = dict[str, Any]

_SPECIAL = {
    "google.protobuf.Timestamp": {"type": "string", "format": "date-time"},
    "google.protobuf.Duration": {"type": "string", "pattern": "^-?[0-9]+(\\.[0-9]+)?s$"},
    "google.protobuf.Any": {"type": "object"},
}
_WHOLE = {"type": "integer", "format": "int32"}
_LONG = {"type": "string", "format": "int64"}  # protobuf JSON writes 64 bits as text
_FRACTION = {"type": "number"}
_SCALARS: dict[int, _Json] = {
    FieldDescriptor.TYPE_BOOL: {"type": "boolean"},
    FieldDescriptor.TYPE_STRING: {"type": "string"},
    FieldDescriptor.TYPE_BYTES: {"type": "string", "contentEncoding": "base64"},
    FieldDescriptor.TYPE_DOUBLE: _FRACTION,
    FieldDescriptor.TYPE_FLOAT: _FRACTION,
    FieldDescriptor.TYPE_INT32: _WHOLE,
    FieldDescriptor.TYPE_UINT32: _WHOLE,
    FieldDescriptor.TYPE_INT64: _LONG,
    FieldDescriptor.TYPE_UINT64: _LONG,
}
_ERROR: _Json = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "status", "message", "details"],
            "properties": {
                "code": {"type": "integer", "enum": sorted(set(HTTP_STATUS.values()))},
                "status": {"type": "string", "enum": sorted(HTTP_STATUS)},
                "message": {"type": "string"},
                "details": {"type": "array", "items": {"type": "object"}},
            },
        }
    },
}


def document(endpoints: Iterable[Endpoint]) -> _Json:
    """The description of all endpoints."""
    schemas: _Json = {"Error": _ERROR}
    paths: _Json = {}
    for endpoint in endpoints:
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = _operation(endpoint, schemas)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Mouthpiece", "version": __version__, "description": MouthpieceError.__doc__},
        "paths": paths,
        "components": {"schemas": schemas},
    }


def _operation(endpoint: Endpoint, schemas: _Json) -> _Json:
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"{(\w+)}", endpoint.path)
    ]
    parameters += [
        {"name": name, "in": "query", "description": text, "schema": {"type": "string"}}
        for name, text in endpoint.query.items()
    ]
    answer = {"description": "Done", **_content(endpoint.answer, schemas)}
    error = {"description": "Refused", "content": {"application/json": {"schema": _reference("Error")}}}
    operation: _Json = {
        "operationId": endpoint.handler.__name__,
        "summary": endpoint.summary,
        "parameters": parameters,
        "responses": {str(endpoint.status): answer, "default": error},
    }
    if endpoint.body:
        operation["requestBody"] = {"required": True, **_content(endpoint.body, schemas)}
    return operation


def _content(content: Content, schemas: _Json) -> _Json:
    if not content:
        return {}
    if isinstance(content, str):
        return {"content": {content: {"schema": {}}}}
    schema = _message(cast("Descriptor", content.DESCRIPTOR), schemas)
    return {"content": {"application/json": {"schema": schema}}}


def _reference(name: str) -> _Json:
    return {"$ref": f"#/components/schemas/{name}"}


def _message(kind: Descriptor, schemas: _Json) -> _Json:
    """A reference to a message's schema, which is made when it is missing."""
    if kind.full_name in _SPECIAL:
        return _SPECIAL[kind.full_name]
    if kind.name not in schemas:
        schemas[kind.name] = {}  # messages may hold themselves
        properties = {field.name: _field(field, schemas) for field in kind.fields}
        schemas[kind.name] = {"type": "object", "properties": properties}
    return _reference(kind.name)


def _field(field: FieldDescriptor, schemas: _Json) -> _Json:
    entry = field.message_type
    if entry is not None and entry.GetOptions().map_entry:
        return {"type": "object", "additionalProperties": _one(entry.fields_by_name["value"], schemas)}
    one = _one(field, schemas)
    return {"type": "array", "items": one} if field.is_repeated else one


def _one(field: FieldDescriptor, schemas: _Json) -> _Json:
    if field.message_type is not None:
        return _message(field.message_type, schemas)
    if field.enum_type is not None:
        return {"type": "string", "enum": [value.name for value in field.enum_type.values]}
    return _SCALARS[field.type]
