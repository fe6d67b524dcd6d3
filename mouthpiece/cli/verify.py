"""`mouthpiece verify`: who signed a video, what made it, and whether it is as it was signed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from google.protobuf import json_format
from rich.markup import escape
from rich.table import Table

from mouthpiece.cli.console import out, print_json
from mouthpiece.cli.provenance import made_with
from mouthpiece.client.files import check_readable
from mouthpiece.errors import BadInput
from mouthpiece.media.credentials import Credentials, Record, Standing, examine
from mouthpiece.v1.common_pb2 import Provenance

_STYLES = {
    Standing.UNSIGNED: "warn",
    Standing.BROKEN: "bad",
    Standing.INTACT: "good",
    Standing.TRUSTED: "good",
}
_SOURCES = {
    "trainedAlgorithmicMedia": "made by a model",
    "compositeWithTrainedAlgorithmicMedia": "made by a model, with a face, voice or recording that was given",
}
_NOBODY_ASKED = "nobody here vouches for the signer: name an authority with --authority"
_NOT_VOUCHED = "the authority does not vouch for the signer"
_FROM_METADATA = "from the metadata, which anybody may have written"


def verify(file: Path, authority: Path | None, *, as_json: bool) -> int:
    """Report on a file. Returns 0 when it is intact, and vouched for if an authority is named."""
    check_readable(file, "file")
    found = examine(file, _authorities(authority))
    if as_json:
        print_json(_plain(found))
    else:
        style = _STYLES[found.standing]
        out().print(f"[bold]{escape(str(file))}[/]  [{style}]{found.standing.value}[/]", soft_wrap=True)
        out().print(_facts(found, trusting=authority is not None))
    accepted = {Standing.TRUSTED} if authority else {Standing.TRUSTED, Standing.INTACT}
    return 0 if found.standing in accepted else 1


def _authorities(path: Path | None) -> bytes:
    if path is None:
        return b""
    check_readable(path, "authority")
    content = path.read_bytes()
    if b"-----BEGIN CERTIFICATE-----" not in content:
        raise BadInput("authority", f"{path} holds no PEM certificate")
    return content


def _plain(found: Credentials) -> Record:
    return {
        "standing": found.standing.name.lower(),
        "signer": found.signer,
        "organization": found.organization,
        "signed_at": found.signed_at,
        "digital_source": found.source,
        "problems": list(found.problems),
        "provenance": found.record,
    }


def _facts(found: Credentials, *, trusting: bool) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="key")
    for name, value in (*_signature(found, trusting=trusting), *_making(found)):
        if value:
            table.add_row(name, escape(value))
    return table


def _signature(found: Credentials, *, trusting: bool) -> Iterator[tuple[str, str]]:
    yield "signed by", ", ".join(filter(None, (found.signer, found.organization)))
    yield "signed at", found.signed_at
    if found.standing is Standing.INTACT:
        yield "note", _NOT_VOUCHED if trusting else _NOBODY_ASKED
    if found.standing is Standing.BROKEN:
        yield "why", "\n".join(found.problems)


def _making(found: Credentials) -> Iterator[tuple[str, str]]:
    yield "content", _SOURCES.get(found.source, found.source)
    record = _record(found.record)
    if record.generator:
        yield "made by", f"{record.generator} for job {record.job_id}"
        yield "with", "\n".join(made_with(record))
        yield "note", _FROM_METADATA if found.standing is Standing.UNSIGNED else ""


def _record(record: Record) -> Provenance:
    """A record as far as it is one: anybody may have written the file."""
    try:
        return json_format.ParseDict(record, Provenance(), ignore_unknown_fields=True)
    except (json_format.ParseError, OverflowError):
        return Provenance()
