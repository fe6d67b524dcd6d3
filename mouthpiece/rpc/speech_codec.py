"""The speech of `mouthpiece.core.speech` as messages, and back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mouthpiece.core.speech import Phoneme, Sentence, SpeechSlice, Word
from mouthpiece.core.timeline import Span
from mouthpiece.errors import BadInput
from mouthpiece.rpc.convert import span_from_proto, span_to_proto
from mouthpiece.v1 import common_pb2


def sentence_to_proto(sentence: Sentence) -> common_pb2.Sentence:
    """Sentence as message."""
    return common_pb2.Sentence(
        index=sentence.index,
        text=sentence.text,
        source=span_to_proto(sentence.source),
        samples=span_to_proto(sentence.samples),
        pcm=sentence.pcm,
        words=[_word_to_proto(word) for word in sentence.words],
        phonemes=_phonemes_to_proto(sentence.phonemes or ()),
        phonemes_known=sentence.phonemes is not None,
        pauses=[span_to_proto(pause) for pause in sentence.pauses],
    )


def sentence_from_proto(message: common_pb2.Sentence) -> Sentence:
    """Sentence from message. Raises `BadInput` for `sentence` when it contradicts itself."""
    try:
        return Sentence(
            index=message.index,
            text=message.text,
            source=span_from_proto(message.source, "sentence.source"),
            samples=span_from_proto(message.samples, "sentence.samples"),
            pcm=message.pcm,
            words=tuple(_word_from_proto(word) for word in message.words),
            phonemes=_phonemes_from_proto(message.phonemes) if message.phonemes_known else None,
            pauses=tuple(span_from_proto(pause, "sentence.pauses") for pause in message.pauses),
        )
    except ValueError as error:
        raise BadInput("sentence", str(error)) from None


def slice_to_proto(speech: SpeechSlice) -> common_pb2.SpeechSlice:
    """Slice as message."""
    return common_pb2.SpeechSlice(
        samples=span_to_proto(speech.samples),
        pcm=speech.pcm,
        phonemes=_phonemes_to_proto(speech.phonemes),
        known=[span_to_proto(known) for known in speech.known],
    )


def slice_from_proto(message: common_pb2.SpeechSlice) -> SpeechSlice:
    """Slice from message. Raises `BadInput` for `speech` when it contradicts itself."""
    try:
        return SpeechSlice(
            samples=span_from_proto(message.samples, "speech.samples"),
            pcm=message.pcm,
            phonemes=_phonemes_from_proto(message.phonemes),
            known=tuple(span_from_proto(known, "speech.known") for known in message.known),
        )
    except ValueError as error:
        raise BadInput("speech", str(error)) from None


def _phonemes_to_proto(phonemes: Sequence[Phoneme]) -> list[common_pb2.Phoneme]:
    return [common_pb2.Phoneme(ipa=p.ipa, samples=span_to_proto(p.samples)) for p in phonemes]


def _phonemes_from_proto(messages: Iterable[common_pb2.Phoneme]) -> tuple[Phoneme, ...]:
    return tuple(Phoneme(m.ipa, span_from_proto(m.samples, "phonemes.samples")) for m in messages)


def _word_to_proto(word: Word) -> common_pb2.Word:
    return common_pb2.Word(
        text=word.text, samples=span_to_proto(word.samples), source=span_to_proto(word.source)
    )


def _word_from_proto(message: common_pb2.Word) -> Word:
    samples = span_from_proto(message.samples, "words.samples")
    return Word(
        message.text, samples, Span(message.source.first, max(message.source.first, message.source.end))
    )
