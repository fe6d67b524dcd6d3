"""Moving sentences about in a speech and a text. Their sound stays as it is, but for the pause at the end."""

from __future__ import annotations

from collections.abc import Iterable

from mouthpiece.v1.common_pb2 import Sentence, Span


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
