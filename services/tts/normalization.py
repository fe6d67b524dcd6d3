"""A text in words, on the wire."""

from __future__ import annotations

from dataclasses import replace

from mouthpiece.rpc.convert import span_to_proto
from mouthpiece.text.normalize import Spoken, normalize
from mouthpiece.text.phonemes import as_heard
from mouthpiece.text.ssml import Document
from mouthpiece.v1 import tts_pb2 as pb
from services.tts import wire
from services.tts.voices import choose_voice


def normalized(request: pb.SpeechServiceNormalizeTextRequest) -> pb.NormalizedText:
    """What would be said for a text.

    Raises:
        BadInput: as `plan_speech`; but a text may be empty.
    """
    script = wire.script(request)
    document = script.document()
    language = choose_voice(document.text, request.language, "").voice.language
    decided = (replace(token, spoken=as_heard(token.spoken)) for token in script.decided(document, language))
    found = normalize(document.text, language, decided)
    return pb.NormalizedText(
        language=language,
        spoken=found.text,
        tokens=[_token(token, document) for token in found.tokens],
        warnings=script.unheeded(document, language),
    )


def _token(token: Spoken, document: Document) -> pb.NormalizedToken:
    return pb.NormalizedToken(
        source=span_to_proto(document.place_of(token.source)),
        spoken=span_to_proto(token.spoken),
        kind=token.kind.value,
    )
