"""What the HTTP interface is made of: a table from which both the routing and its description come."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from google.protobuf.message import Message
from starlette.requests import Request
from starlette.responses import Response

Handler = Callable[[Request], Awaitable[Response]]
Content = type[Message] | str
"""A message, which is sent as JSON, or a media type."""


JSON = "application/json"
MP4 = "video/mp4"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One operation.

    `rpc` is the method of VideoService whose scope and rate it takes; empty: it is open to everybody.
    `upload` says that the body may be as large as an asset; other bodies are small. `query` names the
    parameters of the query, each with a sentence.
    """

    rpc: str
    method: str
    path: str
    handler: Handler
    summary: str
    answer: Content
    body: Content | None = None
    status: int = 200
    query: Mapping[str, str] = field(default_factory=dict[str, str])
    upload: bool = False
