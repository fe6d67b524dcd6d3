"""The speech of running jobs: metadata in memory, sound in the artifact store."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from mouthpiece.artifacts import ArtifactStore
from mouthpiece.core.speech import BYTES_PER_SAMPLE, Sentence, SpeechSlice, slice_speech
from mouthpiece.core.timeline import Span
from mouthpiece.rpc.speech_codec import sentence_from_proto
from mouthpiece.v1 import common_pb2
from services.gateway.records import StoredSentence

REMEMBERED_BYTES = 64 << 20


def silence(samples: int) -> StoredSentence:
    """A sentence of which only the length is known."""
    return StoredSentence(common_pb2.Sentence(samples=common_pb2.Span(end=samples)), "")


class SpeechLibrary:
    """Keeps the sound of sentences, and hands out what a chunk needs of it."""

    def __init__(self, artifacts: ArtifactStore) -> None:
        self._artifacts = artifacts
        self._remembered: OrderedDict[str, bytes] = OrderedDict()
        self._bytes = 0

    async def keep(self, sentence: common_pb2.Sentence) -> StoredSentence:
        """Store a sentence's sound up to the silence at its end; the message loses it."""
        sound = sentence.pcm.rstrip(b"\0")
        sound = sentence.pcm[: len(sound) + len(sound) % BYTES_PER_SAMPLE]
        artifact = await self._artifacts.put_bytes(sound)
        self._remember(artifact.sha256, sound)
        sentence.pcm = b""
        return StoredSentence(sentence, artifact.sha256)

    async def sentence(self, stored: StoredSentence) -> Sentence:
        """A sentence with its sound."""
        whole = common_pb2.Sentence()
        whole.CopyFrom(stored.sentence)
        samples = whole.samples.end - whole.samples.first
        whole.pcm = (await self._pcm(stored.pcm)).ljust(BYTES_PER_SAMPLE * samples, b"\0")
        return sentence_from_proto(whole)

    async def sounding(self, stored: StoredSentence) -> int:
        """Samples of a sentence before the silence at its end. Raises `NotFound`."""
        if not stored.pcm:
            return 0
        return (await self._artifacts.find(stored.pcm)).size_bytes // BYTES_PER_SAMPLE

    async def cut(self, sentences: Sequence[StoredSentence], wanted: Span) -> SpeechSlice:
        """A stretch of the speech, clipped to what there is."""
        touched = [
            await self.sentence(stored)
            for stored in sentences
            if Span(stored.sentence.samples.first, stored.sentence.samples.end).overlaps(wanted)
        ]
        return slice_speech(touched, wanted)

    async def holds(self, sha256: str) -> bool:
        """Whether an artifact is still there."""
        return await self._artifacts.has(sha256)

    async def _pcm(self, sha256: str) -> bytes:
        if not sha256:
            return b""
        pcm = self._remembered.get(sha256)
        if pcm is None:
            pcm = await self._artifacts.get_bytes(sha256)
            self._remember(sha256, pcm)
        self._remembered.move_to_end(sha256)
        return pcm

    def _remember(self, sha256: str, pcm: bytes) -> None:
        if sha256 in self._remembered:
            return
        self._remembered[sha256] = pcm
        self._bytes += len(pcm)
        while self._bytes > REMEMBERED_BYTES and len(self._remembered) > 1:
            self._bytes -= len(self._remembered.popitem(last=False)[1])
