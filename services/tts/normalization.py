"""A text in words, on the wire."""

from __future__ import annotations

from mouthpiece.rpc.convert import span_to_proto
from mouthpiece.text.normalize import Spoken, normalize
from mouthpiece.v1 import tts_pb2 as pb
from services.tts.synthesis import check_length
from services.tts.voices import choose_voice


def normalized(request: pb.SpeechServiceNormalizeTextRequest) -> pb.NormalizedText:
    """What would be said for a text.

    Raises:
        BadInput: as `plan_speech`; but a text may be empty.
    """
    check_length(request.text)
    language = choose_voice(request.text, request.language, "").voice.language
    found = normalize(request.text, language)
    return pb.NormalizedText(
        language=language, spoken=found.text, tokens=[_token(token) for token in found.tokens]
    )


def _token(token: Spoken) -> pb.NormalizedToken:
    return pb.NormalizedToken(
        source=span_to_proto(token.source), spoken=span_to_proto(token.spoken), kind=token.kind.value
    )
