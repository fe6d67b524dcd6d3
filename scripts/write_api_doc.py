"""Writes docs/api.md from the contracts and their comments; with --check, only tells whether it is fresh."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
    MethodDescriptorProto,
    ServiceDescriptorProto,
)
from grpc import StatusCode

ROOT = Path(__file__).parents[1]
DOCUMENT = ROOT / "docs" / "api.md"
PACKAGE = ".mouthpiece.v1."
ORDER = ("gateway", "tts", "lipsync", "merger", "common")
TITLES = {
    "gateway": "Messages of the gateway",
    "tts": "Messages of speech",
    "lipsync": "Messages of lip sync",
    "merger": "Messages of merging",
    "common": "What all share",
}

HEAD = """# API

The contracts of the four services, made from [protos/mouthpiece/v1](../protos/mouthpiece/v1). Clients need
[VideoService](#videoservice) alone; the others are what the gateway calls. All are in package
`mouthpiece.v1`, and every service also answers health checks and reflection.

A field that is not set is empty, 0 or false, which means "as suits" wherever the text says nothing else. A
type followed by … may be there any number of times. *Optional* fields tell 0 from not set. In JSON, bytes are
base64, 64-bit integers are strings, a `Duration` is "1.5s" and a `Timestamp` "2026-01-31T12:00:00Z".

Statuses carry details: see [errors.md](errors.md). Every call may also end with UNAVAILABLE while a service
loads or drains, and with UNAUTHENTICATED or PERMISSION_DENIED where the gateway asks who calls.
"""

_STATUS = "|".join(code.name for code in StatusCode)
_OUTCOME = re.compile(
    rf"(?:(?<=^)|(?<=\. ))(?P<codes>(?:{_STATUS})(?:, (?:{_STATUS}))*)(?P<details> with [^:.]+)?[:.](?: |$)"
)
_NAME = re.compile(r"`[^`]*`|\b[A-Z][a-z]+(?:[A-Z][a-zA-Z]*)+(?:\.[A-Z][A-Za-z]+)?\b")
_SCALARS = {number: name.removeprefix("TYPE_").lower() for name, number in FieldDescriptorProto.Type.items()}


@dataclass(frozen=True)
class Comments:
    """What a file says above its declarations, by their path in the descriptor."""

    said: dict[tuple[int, ...], str]

    @classmethod
    def of(cls, file: FileDescriptorProto) -> Comments:
        """All of a file."""
        found = file.source_code_info.location
        return cls({tuple(place.path): place.leading_comments for place in found})

    def at(self, *path: int) -> list[str]:
        """Paragraphs, each in one line."""
        lines = (line.strip() for line in self.said.get(path, "").splitlines())
        return [" ".join(part) for filled, part in groupby(lines, bool) if filled]


class Links:
    """What can be pointed at: services, their methods, messages and enums."""

    def __init__(self, files: Sequence[FileDescriptorProto]) -> None:
        self._names: dict[str, str] = {}
        for file in files:
            for kinds in (file.message_type, file.enum_type, file.service):
                self._names |= {kind.name: _anchor(kind.name) for kind in kinds}
            for service in file.service:
                for method in service.method:
                    full = f"{service.name}.{method.name}"
                    self._names.setdefault(method.name, _anchor(full))
                    self._names[full] = _anchor(full)

    def to(self, name: str) -> str:
        """A type by its full name."""
        if not name.startswith(PACKAGE):
            return f"`{name.rpartition('.')[2]}`"
        return self.within(name.removeprefix(PACKAGE))

    def within(self, name: str) -> str:
        """A name as it stands in a text."""
        anchor = self._names.get(name)
        return f"[{name}](#{anchor})" if anchor else name

    def text(self, paragraph: str) -> str:
        """A paragraph whose names are links."""
        return _NAME.sub(lambda found: self.within(found[0]), paragraph)


def _anchor(title: str) -> str:
    return title.lower().replace(".", "")


def render(files: Sequence[FileDescriptorProto]) -> str:
    """The document."""
    links = Links(files)
    parts = [HEAD, "| service | |\n|---|---|"]
    for file in files:
        said = Comments.of(file).at(6, 0)
        parts += [f"| {links.within(service.name)} | {_brief(said)} |" for service in file.service]
    for file in files:
        comments = Comments.of(file)
        for index, service in enumerate(file.service):
            parts += _service(service, (6, index), comments, links)
    for file in files:
        parts += _types(file, links)
    return re.sub(r"\n{3,}", "\n\n", "\n".join(parts))


def _service(
    service: ServiceDescriptorProto, path: tuple[int, ...], comments: Comments, links: Links
) -> Iterator[str]:
    yield f"\n## {service.name}\n"
    yield from _paragraphs(comments.at(*path), links)
    yield "| method | |\n|---|---|"
    told = [comments.at(*path, 2, index) for index in range(len(service.method))]
    for method, said in zip(service.method, told, strict=True):
        anchor = _anchor(f"{service.name}.{method.name}")
        yield f"| [{method.name}](#{anchor}) | {_cell([_brief(said)], links)} |"
    for method, said in zip(service.method, told, strict=True):
        yield from _method(service.name, method, said, links)


def _method(service: str, method: MethodDescriptorProto, said: list[str], links: Links) -> Iterator[str]:
    taken = "stream of " * method.client_streaming + links.to(method.input_type)
    given = "stream of " * method.server_streaming + links.to(method.output_type)
    yield f"\n### {service}.{method.name}\n"
    yield f"{taken} → {given}\n"
    texts, outcomes = _parted(said)
    yield from _paragraphs(texts, links)
    if outcomes:
        yield "| status | when |\n|---|---|"
        for codes, when in outcomes:
            yield f"| {codes} | {_cell([when], links)} |"


def _parted(said: list[str]) -> tuple[list[str], list[tuple[str, str]]]:
    """A method's comment as what it does, and what its statuses mean."""
    texts: list[str] = []
    outcomes: list[tuple[str, str]] = []
    for paragraph in said:
        found = list(_OUTCOME.finditer(paragraph))
        before = paragraph[: found[0].start()] if found else paragraph
        texts += [before.strip()] * bool(before.strip())
        ends = [*(one.start() for one in found[1:]), len(paragraph)]
        for one, end in zip(found, ends, strict=False):
            outcomes.append((one["codes"] + (one["details"] or ""), paragraph[one.end() : end].strip()))
    return texts, outcomes


def _types(file: FileDescriptorProto, links: Links) -> Iterator[str]:
    comments = Comments.of(file)
    yield f"\n## {TITLES[Path(file.name).stem]}"
    for index, message in enumerate(file.message_type):
        yield from _message(message, (4, index), comments, links)
    for index, enum in enumerate(file.enum_type):
        yield from _enum(enum, (5, index), comments, links)


def _message(
    message: DescriptorProto, path: tuple[int, ...], comments: Comments, links: Links
) -> Iterator[str]:
    yield f"\n### {message.name}\n"
    yield from _paragraphs(comments.at(*path), links)
    if not message.field:
        yield "Empty."
        return
    yield "| field | type | |\n|---|---|---|"
    for index, field in enumerate(message.field):
        said = _cell(comments.at(*path, 2, index), links)
        yield f"| `{field.name}` | {_type(field, message, links)} | {said} |"


def _type(field: FieldDescriptorProto, message: DescriptorProto, links: Links) -> str:
    nested = {f"{PACKAGE}{message.name}.{kind.name}": kind for kind in message.nested_type}
    if field.type_name in nested:
        key, value = nested[field.type_name].field
        return f"map of {_type(key, message, links)} to {_type(value, message, links)}"
    name = links.to(field.type_name) if field.type_name else _SCALARS[field.type]
    if field.label == FieldDescriptorProto.LABEL_REPEATED:
        return f"{name} …"
    if field.proto3_optional:
        return f"*optional* {name}"
    if field.HasField("oneof_index"):
        return f"{name}, or another `{message.oneof_decl[field.oneof_index].name}`"
    return name


def _enum(
    enum: EnumDescriptorProto, path: tuple[int, ...], comments: Comments, links: Links
) -> Iterator[str]:
    yield f"\n### {enum.name}\n"
    yield from _paragraphs(comments.at(*path), links)
    yield "| value | |\n|---|---|"
    for index, value in enumerate(enum.value):
        yield f"| `{value.name}` | {_cell(comments.at(*path, 2, index), links)} |"


def _paragraphs(said: list[str], links: Links) -> Iterator[str]:
    for paragraph in said:
        yield f"{links.text(paragraph)}\n"


def _cell(said: list[str], links: Links) -> str:
    return "<br>".join(map(links.text, said)).replace("|", "\\|")


def _brief(said: list[str]) -> str:
    """The first sentence."""
    return re.split(r"(?<=\.) (?=[A-Z])", said[0])[0] if said else ""


def described() -> list[FileDescriptorProto]:
    """Our contracts with their comments, those of the gateway first."""
    with tempfile.TemporaryDirectory() as folder:
        image = Path(folder) / "image.binpb"
        subprocess.run([ROOT / "scripts" / "proto_image.sh", image], check=True)
        found = FileDescriptorSet.FromString(image.read_bytes()).file
    ours = {Path(file.name).stem: file for file in found if f".{file.package}." == PACKAGE}
    return [ours[name] for name in ORDER]


def main() -> None:
    """Write, or check."""
    document = render(described())
    if "--check" not in sys.argv:
        DOCUMENT.write_text(document, encoding="utf-8")
    elif not DOCUMENT.exists() or DOCUMENT.read_text(encoding="utf-8") != document:
        sys.exit("docs/api.md is stale: run python scripts/write_api_doc.py")


if __name__ == "__main__":
    main()
