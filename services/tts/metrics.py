"""What the speech service counts."""

from __future__ import annotations

from prometheus_client import Counter, Histogram

from mouthpiece.core.speech import seconds

_sentences = Counter("mouthpiece_tts_sentences", "Sentences sent, by where they came from.", ["source"])
_speech = Counter(
    "mouthpiece_tts_speech_seconds", "Seconds of speech sent, by where it came from.", ["source"]
)
_work = Histogram(
    "mouthpiece_tts_sentence_seconds",
    "Time to make one sentence, waiting for the synthesizer included, by where it came from.",
    ["source"],
    buckets=(0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5),
)

TEXT = "text"
RECORDING = "recording"


def sentence_made(source: str, samples: int, took: float) -> None:
    """A sentence of so many samples was made from `TEXT` or a `RECORDING` in ``took`` seconds."""
    _sentences.labels(source).inc()
    _speech.labels(source).inc(seconds(samples))
    _work.labels(source).observe(took)
