"""Names for the sound of sentences, by which callers keep it."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256

from mouthpiece import __version__
from mouthpiece.rpc.convert import span_to_proto
from mouthpiece.text.passages import Passage
from mouthpiece.v1 import tts_pb2 as pb


def planned(
    request: pb.SynthesizeRequest, outline: pb.SpeechOutline, pieces: tuple[Passage, ...]
) -> Iterator[pb.PlannedSentence]:
    """The sentences of a request in order, each with its key.

    A key covers the release, the engine and its version, everything that the request says about the manner of
    speaking, and of the text this sentence only. First and last sentences have silence around them, and a
    sentence ends in a pause by what stands at its end, so these are part of it too.
    """
    manner = _digest(*_manner(request, outline))
    last = len(pieces) - 1
    for index, piece in enumerate(pieces):
        place = f"{piece.ending.value} {piece.pause_ms} {index == 0} {index == last}"
        yield pb.PlannedSentence(
            key=_digest(manner, place.encode(), piece.said.encode(), piece.written.encode()).hex(),
            source=span_to_proto(piece.source),
        )


def _manner(request: pb.SynthesizeRequest, outline: pb.SpeechOutline) -> Iterator[bytes]:
    rest = pb.SynthesizeRequest()
    rest.CopyFrom(request)
    for field in ("text", "check_only", "first_sentence", "end_sentence", "voice_fallback"):
        rest.ClearField(field)
    rest.language, rest.voice = outline.language, outline.voice
    yield __version__.encode()
    yield outline.engine.encode()
    yield outline.engine_version.encode()
    yield rest.SerializeToString(deterministic=True)


def _digest(*parts: bytes) -> bytes:
    """A digest of parts that does not depend on what stands in them."""
    return sha256(b"".join(sha256(part).digest() for part in parts)).digest()
