"""Content credentials: a movie signed after the standard of C2PA, and what such a signature tells.

The library writes the manifest into a box of its own behind `ftyp`, and moves what follows: packets stay as
they are. Manifests hold random identifiers, and signatures random numbers: no two signed files are equal.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, cast

from mouthpiece import __version__
from mouthpiece.errors import BadInput, MouthpieceError
from mouthpiece.media.boxes import box_of, boxes
from mouthpiece.media.tags import PROVENANCE, read_tags

Record = dict[str, Any]
"""What made a video: `Provenance` as JSON."""

ASSERTION = "mouthpiece.provenance"
"""Label of the assertion that holds the record."""
INSTALL = "needs the package c2pa-python: pip install 'mouthpiece[provenance]'"

_ACTIONS = "c2pa.actions.v2"
_SOURCES = "http://cv.iptc.org/newscodes/digitalsourcetype/"
_OFFLINE = {
    "remote_manifest_fetch": False,
    "ocsp_fetch": False,
    "verify_trust": True,
    "verify_after_sign": True,
}
"""A file is no reason to call up whom it names."""
_SETTINGS = {
    # What is stated at first hand, and not gathered from elsewhere.
    "builder": {"created_assertion_labels": [_ACTIONS, ASSERTION], "thumbnail": {"enabled": False}},
    # More of the signed copy than so many mebibytes waits on disk: by default it is 512.
    "core": {"backing_store_memory_threshold_in_mb": 16},
    "verify": _OFFLINE,
}
_MANIFEST = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")
"""How the box with the manifest begins (C2PA, embedding into BMFF)."""
_GIVEN = ("avatar_sha256", "recording_sha256", "voice_reference_sha256", "background_sha256")


class SigningFailed(MouthpieceError):
    """A movie could not be signed."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who signs: a certificate chain with the signer's own in front, and its key, both PEM.

    ``algorithm`` is C2PA's name for the key's, such as "es256"; ``timestamps`` the URL of a time-stamping
    authority (RFC 3161), or empty.
    """

    name: str
    algorithm: str
    chain: bytes
    key: bytes = field(repr=False)
    timestamps: str = ""


def digital_source(record: Mapping[str, Any]) -> str:
    """Where content comes from, in the words of IPTC: made by a model, or of what was given to one."""
    given = any(record.get(name) for name in _GIVEN)
    kind = "compositeWithTrainedAlgorithmicMedia" if given else "trainedAlgorithmicMedia"
    return _SOURCES + kind


def manifest_of(title: str, record: Record) -> dict[str, Any]:
    """What is signed besides the content."""
    program = {"name": "Mouthpiece", "version": __version__}
    created = {
        "action": "c2pa.created",
        "digitalSourceType": digital_source(record),
        "softwareAgent": program,
    }
    return {
        "claim_generator_info": [program],
        "title": title,
        "format": "video/mp4",
        "assertions": [
            {"label": _ACTIONS, "data": {"actions": [created]}},
            {"label": ASSERTION, "data": record},
        ],
    }


def sign_movie(source: Path, target: Path, title: str, record: Record, identity: Identity) -> None:
    """Write a signed copy of a movie. Raises `SigningFailed`, and `OSError` for a full disk and the like."""
    with source.open("rb") as unsigned, target.open("w+b") as signed:
        _sign(unsigned, signed, manifest_of(title, record), identity)


def check_signing(identity: Identity) -> None:
    """Raise `SigningFailed` when nothing can be signed with an identity. Asks no time-stamping authority."""
    smallest = box_of(b"ftyp", b"isom", bytes(4), b"isom") + box_of(b"moov") + box_of(b"mdat")
    offline = Identity(identity.name, identity.algorithm, identity.chain, identity.key)
    _sign(BytesIO(smallest), BytesIO(), manifest_of("", {}), offline)


def _sign(source: Any, target: Any, manifest: dict[str, Any], identity: Identity) -> None:
    c2pa = _library()
    try:
        info = c2pa.C2paSignerInfo(
            identity.algorithm, identity.chain, identity.key, identity.timestamps or None
        )
        with (
            c2pa.Context.from_dict(_SETTINGS) as context,
            c2pa.Signer.from_info(info) as signer,
            c2pa.Builder(manifest, context) as builder,
        ):
            builder.sign(signer, "video/mp4", source, target)
    except c2pa.C2paError as error:
        raise SigningFailed(str(error)) from None


def _library() -> Any:
    try:
        import c2pa
    except ImportError:
        raise SigningFailed(INSTALL) from None
    return c2pa


# ---------------------------------------------------------------- reading


class Standing(Enum):
    """What can be said of a file's signature."""

    UNSIGNED = "not signed"
    BROKEN = "changed since it was signed, or signed wrongly"
    INTACT = "intact"
    TRUSTED = "intact, by somebody whom the authority vouches for"


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a file tells of its making; of an unsigned file anybody may have written that.

    ``source`` is the digital source type without its namespace. ``problems`` say why a signature is broken,
    or why nobody vouches for the signer. ``signed_at`` is what a time-stamping authority says, or empty.
    """

    standing: Standing
    record: Record
    signer: str = ""
    organization: str = ""
    signed_at: str = ""
    source: str = ""
    problems: tuple[str, ...] = ()


def examine(path: Path, authorities: bytes = b"") -> Credentials:
    """Look at the credentials of a movie, and check them. ``authorities`` are PEM certificates to trust.

    Raises `BadInput` (field ``file``) when it is no MP4, `SigningFailed` when it is signed and the library is
    missing.
    """
    with path.open("rb") as movie:
        try:
            if not _is_signed(movie):
                return Credentials(Standing.UNSIGNED, _record(read_tags(movie).get(PROVENANCE, "")))
        except ValueError:
            raise BadInput("file", f"{path} is not an MP4") from None
        movie.seek(0)
        return _read(movie, authorities)


def _is_signed(movie: BinaryIO) -> bool:
    """Whether there is a manifest; what is only said to be elsewhere is not fetched."""
    kinds = [(box.kind, box.content) for box in boxes(movie)]
    if b"ftyp" not in dict(kinds):
        raise ValueError("no MP4")
    return any(_starts(movie, content, _MANIFEST) for kind, content in kinds if kind == b"uuid")


def _starts(movie: BinaryIO, place: int, wanted: bytes) -> bool:
    movie.seek(place)
    return movie.read(len(wanted)) == wanted


def _record(text: str) -> Record:
    try:
        found = json.loads(text or "{}")
    except (ValueError, RecursionError):
        return {}
    return cast("Record", found) if isinstance(found, dict) else {}


def _read(movie: BinaryIO, authorities: bytes) -> Credentials:
    c2pa = _library()
    settings: dict[str, Any] = {"verify": _OFFLINE}
    if authorities:
        settings["trust"] = {"user_anchors": authorities.decode()}
    try:
        with (
            c2pa.Context.from_dict(settings) as context,
            c2pa.Reader("video/mp4", movie, context=context) as reader,
        ):
            return _told(reader.get_active_manifest(), reader.get_validation_state(), _failures(reader))
    except c2pa.C2paError as error:
        return Credentials(Standing.BROKEN, {}, problems=(str(error),))


_STANDINGS = {"Valid": Standing.INTACT, "Trusted": Standing.TRUSTED}


def _told(manifest: Record, state: str, problems: tuple[str, ...]) -> Credentials:
    assertions = {assertion["label"]: assertion.get("data", {}) for assertion in manifest["assertions"]}
    signature = manifest.get("signature_info", {})
    actions = assertions.get(_ACTIONS, {}).get("actions", [])
    sources = [action.get("digitalSourceType", "") for action in actions]
    return Credentials(
        _STANDINGS.get(state, Standing.BROKEN),
        assertions.get(ASSERTION, {}),
        signature.get("common_name", ""),
        signature.get("issuer", ""),
        signature.get("time", ""),
        next(filter(None, sources), "").rpartition("/")[2],
        problems,
    )


def _failures(reader: Any) -> tuple[str, ...]:
    found = (reader.get_validation_results() or {}).get("activeManifest", {}).get("failure", [])
    return tuple(failure.get("explanation") or failure["code"] for failure in found)
