"""Stored videos as HTTP answers: ranges (RFC 9110), resumption, and a name for the file."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from urllib.parse import quote

from starlette.requests import Request

_RANGE = re.compile(r"bytes=(\d{0,15})-(\d{0,15})")


@dataclass(frozen=True, slots=True)
class Part:
    """What of a file is asked for: [first, end) of `size` bytes, and with which status it is answered."""

    first: int
    end: int
    size: int
    status: int

    @property
    def headers(self) -> dict[str, str]:
        """Headers that tell the client what it gets."""
        headers = {"Accept-Ranges": "bytes", "Content-Length": str(self.end - self.first)}
        if self.status == 206:
            headers["Content-Range"] = f"bytes {self.first}-{self.end - 1}/{self.size}"
        if self.status == 416:
            headers["Content-Range"] = f"bytes */{self.size}"
        return headers


def wanted_part(request: Request, size: int, etag: str) -> Part:
    """What a request asks for. Several ranges, and ranges of another version, give the whole."""
    whole = Part(0, size, size, 200)
    header = request.headers.get("range")
    if header is None or request.headers.get("if-range", etag) != etag:
        return whole
    match = _RANGE.fullmatch(header.strip())
    if match is None or match.groups() == ("", ""):
        return whole
    first, last = match.groups()
    if not first:
        part = Part(max(0, size - int(last)), size, size, 206)
    else:
        part = Part(int(first), min(size, int(last) + 1 if last else size), size, 206)
    return part if part.first < part.end else Part(0, 0, size, 416)


def disposition(title: str, job_id: str) -> str:
    """Content-Disposition under which a video is saved: by its title as far as file names go, or its id."""
    plain = re.sub(r"[^\w .-]", "", title).strip(" .")[:80] or job_id
    ascii_name = plain.encode("ascii", "ignore").decode().strip(" .") or job_id
    return f"attachment; filename=\"{ascii_name}.mp4\"; filename*=UTF-8''{quote(plain)}.mp4"


async def nothing() -> AsyncIterator[bytes]:
    """The body of an answer that has none."""
    for block in tuple[bytes, ...]():
        yield block
