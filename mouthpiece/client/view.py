"""What is known of a job, kept up to date from its events. For whoever draws it."""

from __future__ import annotations

from mouthpiece.rpc.convert import seconds
from mouthpiece.v1 import gateway_pb2


class JobView:
    """A job as its events tell it. Pure: feed it events in order, read its attributes."""

    def __init__(self) -> None:
        self.job = gateway_pb2.Job()
        """Everything but the chunks."""
        self.chunks: dict[str, gateway_pb2.Chunk] = {}
        """Attempts by id, in the order in which they began."""
        self.sentences = 0
        self.spoken_samples = 0
        self.speech_final = False
        self.percent = 0.0
        self.eta: float | None = None
        """Seconds to the end, at the last event; None when unknown."""
        self.queue_position = 0

    def apply(self, event: gateway_pb2.JobEvent) -> None:
        """Learn from an event."""
        match event.WhichOneof("event"):
            case "state":
                self._enter(event.state)
            case "speech":
                self._spoke(event.speech)
            case "chunk":
                self.chunks[event.chunk.id] = event.chunk
            case "progress":
                self._progressed(event.progress)
            case "segment" | None:
                pass

    def _enter(self, job: gateway_pb2.Job) -> None:
        self.job = job
        self.percent = max(self.percent, job.percent)
        self.speech_final = self.speech_final or job.speech_final
        if job.state == gateway_pb2.JOB_STATE_DONE:
            self.percent = 100.0
        self.eta = seconds(job.eta) if job.HasField("eta") else self.eta

    def _spoke(self, speech: gateway_pb2.SpeechGrew) -> None:
        self.sentences += 1
        self.spoken_samples = speech.sentence.samples.end
        self.speech_final = speech.final

    def _progressed(self, progress: gateway_pb2.JobProgress) -> None:
        self.percent = progress.percent
        self.eta = seconds(progress.eta) if progress.HasField("eta") else None
        self.queue_position = progress.queue_position
        for chunk in progress.chunks:
            known = self.chunks.get(chunk.id)
            # The stored end of an attempt outweighs a live figure that was on its way.
            if known is None or known.state == gateway_pb2.CHUNK_STATE_RUNNING:
                self.chunks[chunk.id] = chunk
