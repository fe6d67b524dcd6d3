"""The messages of the speech service as values, and back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from mouthpiece.core.speech import Sentence
from mouthpiece.core.timeline import SPEECH_RATE
from mouthpiece.errors import BadInput
from mouthpiece.rpc.convert import seconds
from mouthpiece.rpc.speech_codec import sentence_to_proto
from mouthpiece.text.normalize.rules import rules
from mouthpiece.text.phonemes import MAX_IPA, pronounced, without_marks
from mouthpiece.text.script import Script
from mouthpiece.v1 import tts_pb2 as pb
from mouthpiece.v1.common_pb2 import Speaker
from services.tts import voices
from services.tts.casting import Cast, is_listed
from services.tts.engine import SpeechEngine
from services.tts.keys import planned
from services.tts.performance import Fallback, Notice
from services.tts.recording import Care, Recording
from services.tts.synthesis import Plan, check_length
from services.tts.voicing import Role

_FALLBACKS = {
    pb.VOICE_FALLBACK_UNSPECIFIED: Fallback.NEXT_ENGINE,
    pb.VOICE_FALLBACK_NEXT_ENGINE: Fallback.NEXT_ENGINE,
    pb.VOICE_FALLBACK_REFERENCE: Fallback.REFERENCE,
    pb.VOICE_FALLBACK_NONE: Fallback.NONE,
}

_SHORTEST_PAUSE, _LONGEST_PAUSE = 0.1, 60.0


def script(request: pb.SynthesizeRequest | pb.SpeechServiceNormalizeTextRequest) -> Script:
    """What is to be said from message. Raises `BadInput`."""
    if request.markup not in pb.Markup.values():
        raise BadInput("markup", f"{request.markup} is not a markup")
    check_length(request.text)
    return Script(request.text, request.markup == pb.MARKUP_SSML, pronunciations(request.pronunciations))


def pronunciations(entries: Iterable[pb.Pronunciation]) -> dict[str, str]:
    """A dictionary from messages. Raises `BadInput`."""
    return {entry.word: _pronunciation(entry) for entry in entries}


def _pronunciation(entry: pb.Pronunciation) -> str:
    if not entry.ipa:
        return without_marks(entry.alias)
    if entry.alias or len(entry.ipa) > MAX_IPA or not entry.ipa.strip():
        raise BadInput(
            "pronunciations", f"{entry.word!r} needs an alias or at most {MAX_IPA} sounds, not both"
        )
    return pronounced(without_marks(entry.word), without_marks(entry.ipa))


def fallback(value: pb.VoiceFallback.ValueType) -> Fallback:
    """Policy from message. Raises `BadInput` for one that there is not."""
    if value not in _FALLBACKS:
        raise BadInput("voice_fallback", f"{value} is not a fallback")
    return _FALLBACKS[value]


def care(message: pb.SoundOptions, *, even: bool) -> Care:
    """Care of the sound from message; ``even``: whether loudness is normalised when nothing is said of it.

    Raises `BadInput`.
    """
    if message.loudness not in pb.Loudness.values():
        raise BadInput("sound.loudness", f"{message.loudness} is not a loudness")
    if message.loudness != pb.LOUDNESS_UNSPECIFIED:
        even = message.loudness == pb.LOUDNESS_NORMALIZE
    return Care(even, message.denoise, _longest_pause(message))


def _longest_pause(message: pb.SoundOptions) -> int:
    if not message.HasField("longest_pause"):
        return 0
    wanted = seconds(message.longest_pause)
    if not _SHORTEST_PAUSE <= wanted <= _LONGEST_PAUSE:
        limits = f"{_SHORTEST_PAUSE:g} s and {_LONGEST_PAUSE:g} s"
        raise BadInput("sound.longest_pause", f"{wanted:g} s is not between {limits}")
    return round(wanted * SPEECH_RATE)


def outline(request: pb.SynthesizeRequest, chosen: Cast) -> pb.SpeechOutline:
    """What is known of a speech before it is made; of its sentences only for who asks for nothing else."""
    speaks = speaker(chosen.roles[0])
    found = pb.SpeechOutline(
        language=chosen.plan.choice.voice.language,
        voice=speaks.voice,
        engine=speaks.engine,
        engine_version=speaks.engine_version,
        normalization=rules(),
    )
    if not request.check_only:
        found.expected_samples = chosen.roughly_expected_samples
        return found
    found.warnings.extend(chosen.warnings)
    found.plan.extend(planned(request, found, tuple(chosen.plan.pieces)))
    found.sentences = len(found.plan)
    found.expected_samples = chosen.expected_samples
    return found


def outline_of_recording(found: Recording, plan: Plan | None) -> pb.SpeechOutline:
    """The same of a recording."""
    return pb.SpeechOutline(
        sentences=len(found.pieces),
        expected_samples=found.samples,
        language=plan.choice.voice.language if plan else "",
    )


def speaker(role: Role) -> Speaker:
    """Who speaks in a role."""
    engine = role.engine
    return Speaker(engine=engine.name, engine_version=engine.version(role.speaker.voice), voice=role.voice)


def sentence(spoken: Sentence, role: Role) -> pb.SynthesizeResponse:
    """A sentence as message, with the role in which it was spoken."""
    message = sentence_to_proto(spoken)
    message.spoken_by.CopyFrom(speaker(role))
    return pb.SynthesizeResponse(sentence=message)


def notice(told: Notice) -> pb.SynthesizeResponse:
    """A notice as message."""
    message = pb.SpeechNotice(warning=told.warning)
    if told.role is not None:
        speaks = speaker(told.role)
        message.engine, message.engine_version = speaks.engine, speaks.engine_version
    return pb.SynthesizeResponse(notice=message)


def listed_voices(engines: Sequence[SpeechEngine], language: str) -> Iterator[pb.Voice]:
    """The voices of all engines, those of the embedded one last."""
    for engine in engines:
        for voice in engine.voices():
            if is_listed(voice, language):
                yield pb.Voice(
                    name=voice.name,
                    language=voice.language,
                    description=voice.description,
                    engine=engine.name,
                )
    for choice, line in voices.listed(language):
        yield pb.Voice(
            name=choice.name,
            language=choice.voice.language,
            description=line,
            engine=voices.ENGINE,
            is_default=not choice.variant and voices.is_default(choice.voice),
        )
