"""Moving sentences about in a speech and a text. Their sound stays as it is, but for the pause at the end."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mouthpiece.core.editing import Edit
from mouthpiece.core.motion import Crossing
from mouthpiece.rpc.convert import crossing_from_proto, crossing_to_proto
from mouthpiece.v1.common_pb2 import Sentence, Span
from services.gateway.records import StoredSentence


def placed(
    alone: Sentence, sounding: int, source: int, before: Sequence[StoredSentence], edit: Edit | None
) -> Sentence:
    """A sentence in a speech, behind those `before` it, at the code point `source` of the text.

    `alone` is how it was spoken by itself, with sound for `sounding` samples. In an edited text its pause
    leads to where the next sentence goes on as before.
    """
    sentence = Sentence()
    sentence.CopyFrom(alone)
    index, start = len(before), before[-1].sentence.samples.end if before else 0
    move(sentence, start, source, index)
    if edit is not None:
        crossings = crossings_of(before)
        last = before[-1].sentence.samples.first if before else 0
        crossing = edit.crossing(index, start, last, crossings)
        if crossing is not None:
            sentence.crossing.CopyFrom(crossing_to_proto(crossing))
            crossings.append(crossing)
        ahead = sum(crossing.by for crossing in crossings)
        end_at(sentence, edit.start(index + 1, start + sounding, sentence.samples.end, ahead))
    return sentence


def crossings_of(sentences: Iterable[StoredSentence]) -> list[Crossing]:
    """Where the avatar's motion goes over to another place of its course, as far as a speech goes."""
    messages = (stored.sentence for stored in sentences if stored.sentence.HasField("crossing"))
    return [crossing_from_proto(message.crossing, "crossing") for message in messages]


def move(sentence: Sentence, samples: int, source: int, index: int) -> None:
    """Let a sentence be number `index`, begin at a sample, and stand at a code point of the text."""
    later, further = samples - sentence.samples.first, source - sentence.source.first
    _shift([sentence.samples, *sentence.pauses], later)
    _shift([word.samples for word in sentence.words], later)
    _shift([phoneme.samples for phoneme in sentence.phonemes], later)
    _shift([sentence.source, *(word.source for word in sentence.words)], further)
    sentence.index = index


def end_at(sentence: Sentence, samples: int) -> None:
    """Let the pause at the end of a sentence last until a sample; the sound before it must have ended."""
    end = sentence.samples.end
    last = [phoneme.samples for phoneme in sentence.phonemes[-1:] if not phoneme.ipa]
    for span in (sentence.samples, *last, *sentence.pauses[-1:]):
        if span.end == end:
            span.end = samples


def _shift(spans: Iterable[Span], by: int) -> None:
    for span in spans:
        span.first += by
        span.end += by
