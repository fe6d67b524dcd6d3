"""Speech, worker and merger services in memory, with knobs, around a real gateway on loopback.

A chunk is an MP4 whose data lists the numbers of its frames, and merging concatenates those: whatever the
gateway does, a job of n frames must end as the lines 0 … n-1.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any

import grpc.aio

from mouthpiece.artifacts import ArtifactStore
from mouthpiece.core.engines import EngineClass, EngineInfo
from mouthpiece.core.speech import BYTES_PER_SAMPLE
from mouthpiece.core.timeline import SPEECH_RATE, Span
from mouthpiece.errors import BadInput, Busy, MouthpieceError, Reason, Unmet
from mouthpiece.media.boxes import boxes
from mouthpiece.rpc.channel import dial
from mouthpiece.rpc.convert import artifact_to_proto, duration, engine_to_proto
from mouthpiece.rpc.server import Program, Running, serving
from mouthpiece.settings import CommonSettings, GatewaySettings, MergerSettings, TtsSettings
from mouthpiece.v1 import (
    common_pb2,
    gateway_pb2_grpc,
    lipsync_pb2,
    lipsync_pb2_grpc,
    merger_pb2,
    merger_pb2_grpc,
    tts_pb2,
    tts_pb2_grpc,
)
from mouthpiece.v1.gateway_pb2 import DownloadVideoRequest
from mouthpiece.v1.gateway_pb2_grpc import VideoServiceStub
from services.gateway.__main__ import program as gateway_program
from services.gateway.http.front import HttpFront
from services.gateway.servicer import VideoServicer
from services.merger.servicer import MergerServicer
from services.tts.servicer import SpeechServicer

SENTENCE_SECONDS = 2
FPS = Fraction(25)
ENGINE = EngineInfo("viseme", "fake", EngineClass.WINDOWED, "fake-1", 4800, 4800)


class _Idle:
    """A service with nothing to open or to end."""

    async def load(self) -> None:
        pass

    async def drain(self) -> None:
        pass

    async def close(self) -> None:
        pass


@dataclass
class FakeSpeech(_Idle, tts_pb2_grpc.SpeechServiceServicer):
    """Speaks two seconds of silence for each sentence ending in a full stop."""

    calls: int = 0
    spoken: int = 0
    gate: Callable[[int], asyncio.Event | None] = field(default=lambda _: None)
    break_after: int | None = None
    fail_at: int | None = None
    sound: Callable[[Span], bytes] | None = None
    """What is heard instead of silence, as 16-bit samples."""
    engines: Callable[[int], str] = field(default=lambda _: "fake")
    """Who speaks a sentence; `fake` is who was chosen."""

    async def NormalizeText(self, request: Any, context: Any) -> tts_pb2.SpeechServiceNormalizeTextResponse:
        return tts_pb2.SpeechServiceNormalizeTextResponse()

    async def Synthesize(self, request: Any, context: Any) -> AsyncGenerator[tts_pb2.SynthesizeResponse]:
        if "unspeakable" in request.text:
            raise BadInput("text", "cannot be spoken")
        self.calls += 1
        texts = [part.strip() for part in request.text.split(".") if part.strip()]
        samples = len(texts) * SENTENCE_SECONDS * SPEECH_RATE
        yield tts_pb2.SynthesizeResponse(
            outline=tts_pb2.SpeechOutline(
                sentences=len(texts),
                expected_samples=samples,
                language="en",
                voice="fake",
                engine="fake",
                engine_version="1",
                normalization="rules",
                plan=[fake_plan(text) for text in texts],
            )
        )
        if request.check_only:
            return
        for index in range(*slice(request.first_sentence, request.end_sentence or None).indices(len(texts))):
            text = texts[index]
            gate = self.gate(index)
            if gate is not None:
                await gate.wait()
            if self.break_after is not None and index >= self.break_after:
                self.break_after = None
                raise Busy("the speech service hiccups", 0.01)
            if index == self.fail_at:
                raise BadInput("text", "the speaker lost its voice")
            self.spoken += 1
            sentence = fake_sentence(index, text, request.first_sentence)
            if self.sound is not None:
                sentence.pcm = self.sound(Span(sentence.samples.first, sentence.samples.end))
            speaker = common_pb2.Speaker(engine=self.engines(index), engine_version="1", voice="fake")
            sentence.spoken_by.CopyFrom(speaker)
            yield tts_pb2.SynthesizeResponse(sentence=sentence)

    async def ImportSpeech(self, request: Any, context: Any) -> AsyncGenerator[tts_pb2.ImportSpeechResponse]:
        if request.audio_sha256:
            raise BadInput("audio", "not audio")
        yield tts_pb2.ImportSpeechResponse()

    async def ListVoices(self, request: Any, context: Any) -> tts_pb2.SpeechServiceListVoicesResponse:
        return tts_pb2.SpeechServiceListVoicesResponse(voices=[tts_pb2.Voice(name="fake", language="en")])


def fake_plan(text: str) -> tts_pb2.PlannedSentence:
    key = sha256(text.encode()).hexdigest()
    return tts_pb2.PlannedSentence(key=key, source=common_pb2.Span(end=len(text)))


def fake_sentence(index: int, text: str, first_sentence: int) -> common_pb2.Sentence:
    first = (index - first_sentence) * SENTENCE_SECONDS * SPEECH_RATE
    end = first + SENTENCE_SECONDS * SPEECH_RATE
    content = text.encode()[:64].ljust(BYTES_PER_SAMPLE * (end - first), b"\0")
    middle = (first + end) // 2
    return common_pb2.Sentence(
        index=index,
        text=text,
        source=common_pb2.Span(first=0, end=len(text)),
        samples=common_pb2.Span(first=first, end=end),
        pcm=content,
        phonemes_known=True,
        pauses=[common_pb2.Span(first=middle, end=middle + 4800), common_pb2.Span(first=end - 4800, end=end)],
    )


@dataclass
class FakeWorker(_Idle, lipsync_pb2_grpc.LipSyncServiceServicer):
    """Renders at once, or as its knobs say."""

    name: str
    artifacts: ArtifactStore
    hold: asyncio.Event | None = None
    hold_from: int = 0
    """First frame of the chunks that are held."""
    fail: MouthpieceError | None = None
    fail_times: int = 1_000_000
    lie: bool = False
    forgetful: bool = False
    codec: str = "c" * 64
    encoders: tuple[str, ...] = ()
    encoded_with: set[str] = field(default_factory=set)
    labels: set[str] = field(default_factory=set)
    engine: EngineInfo = ENGINE
    ailments: tuple[lipsync_pb2.Ailment, ...] = ()
    warnings: tuple[str, ...] = ()
    avatar_error: MouthpieceError | None = None
    movie: Callable[[Sequence[int]], bytes] = field(default_factory=lambda: fake_movie)
    rendering: int = 0
    rendered: list[Span] = field(default_factory=list)
    began: asyncio.Event = field(default_factory=asyncio.Event)

    async def GetWorker(self, request: Any, context: Any) -> lipsync_pb2.GetWorkerResponse:
        return lipsync_pb2.GetWorkerResponse(
            worker=lipsync_pb2.Worker(
                name=self.name,
                engines=[engine_to_proto(self.engine)],
                slots=1,
                busy_slots=self.rendering,
                encoders=self.encoders,
                engine_ailments=self.ailments,
            )
        )

    async def InspectAvatar(self, request: Any, context: Any) -> lipsync_pb2.InspectAvatarResponse:
        if self.avatar_error is not None:
            raise self.avatar_error
        return lipsync_pb2.InspectAvatarResponse(
            info=lipsync_pb2.AvatarInfo(
                kind=lipsync_pb2.AVATAR_KIND_PORTRAIT, width=640, height=481, frames=1, faces=1
            )
        )

    async def PrepareAvatar(self, request: Any, context: Any) -> lipsync_pb2.PrepareAvatarResponse:
        return lipsync_pb2.PrepareAvatarResponse()

    async def RenderChunk(
        self, request: Any, context: Any
    ) -> AsyncGenerator[lipsync_pb2.RenderChunkResponse]:
        if self.rendering:
            raise Busy("every slot is taken", 0.05)
        if request.engine_version != self.engine.version:
            raise Unmet(Reason.ENGINE_UNKNOWN, f"there is no version {request.engine_version} here")
        self.rendering += 1
        self.encoded_with.add(request.encoder)
        self.labels.add(request.label.text)
        self.began.set()
        try:
            async for message in self._render(request):
                yield message
        finally:
            self.rendering -= 1

    async def _render(self, request: Any) -> AsyncGenerator[lipsync_pb2.RenderChunkResponse]:
        yield lipsync_pb2.RenderChunkResponse(accepted=lipsync_pb2.ChunkAccepted(worker=self.name))
        if self.hold is not None and request.frames.first >= self.hold_from:
            await self.hold.wait()
        if self.fail is not None and self.fail_times > 0:
            self.fail_times -= 1
            raise self.fail
        span = Span(request.frames.first, request.frames.end)
        yield lipsync_pb2.RenderChunkResponse(progress=lipsync_pb2.ChunkProgress(frames_done=len(span) // 2))
        moved = [number + _ahead(request, number) for number in span]
        chunk = await self.artifacts.put_bytes(self.movie(moved))
        if self.forgetful:
            await self.artifacts.delete(chunk.sha256)
        self.rendered.append(span)
        yield lipsync_pb2.RenderChunkResponse(
            result=lipsync_pb2.ChunkResult(
                handover=await self._hand_over(request, span),
                chunk=artifact_to_proto(chunk),
                frames=len(span) - int(self.lie),
                codec_sha256=self.codec,
                render_time=duration(0.01),
                warnings=self.warnings,
            )
        )

    async def _hand_over(self, request: Any, span: Span) -> common_pb2.ArtifactRef | None:
        """What a chain goes on from: the numbers of all frames so far."""
        if self.engine.engine_class is not EngineClass.CHAINED:
            return None
        before = await self.artifacts.get_bytes(request.handover.sha256) if span.first else b""
        assert before == b"".join(b"%d " % frame for frame in range(span.first)), "the chain is broken"
        left = await self.artifacts.put_bytes(before + b"".join(b"%d " % frame for frame in span))
        return artifact_to_proto(left)


def _ahead(request: lipsync_pb2.RenderChunkRequest, number: int) -> int:
    """How much farther motion is at a frame of a chunk; it jumps where a crossing ends."""
    return sum(crossing.by for crossing in request.crossings if crossing.frames.end <= number)


def fake_movie(frames: Sequence[int]) -> bytes:
    """The least that counts as a movie of some frames, with a keyframe every second."""
    index = _box(b"stsz", bytes(8) + len(frames).to_bytes(4, "big") + bytes(4 * len(frames)))
    keys = range(1, len(frames) + 1, int(FPS))
    numbers = (0, len(keys), *keys)
    index += _box(b"stss", b"".join(number.to_bytes(4, "big") for number in numbers))
    for kind in (b"stbl", b"minf", b"mdia", b"trak", b"moov"):
        index = _box(kind, index)
    return index + _box(b"mdat", "".join(f"{frame}\n" for frame in frames).encode())


def _box(kind: bytes, content: bytes) -> bytes:
    return (8 + len(content)).to_bytes(4, "big") + kind + content


def fake_data(movie: bytes) -> bytes:
    """What the frames of a movie say."""
    file = BytesIO(movie)
    return next(movie[box.content : box.end] for box in boxes(file) if box.kind == b"mdat")


@dataclass
class FakeMerger(_Idle, merger_pb2_grpc.MergerServiceServicer):
    """Concatenates, refusing gaps."""

    artifacts: ArtifactStore
    merges: int = 0
    record: str = ""
    """What the last movie was told to be made of."""
    signed_by: str = ""
    warnings: tuple[str, ...] = ()
    break_times: int = 0
    breaks_at: int = 0
    """Publishes what is before this frame, and breaks then; 0: publishes whole chunks, and goes on."""
    hold: asyncio.Event | None = None

    async def Merge(
        self, request_iterator: AsyncIterator[merger_pb2.MergeRequest], context: Any
    ) -> AsyncGenerator[merger_pb2.MergeResponse]:
        self.merges += 1
        frames, samples, content = 0, 0, b""
        async for request in request_iterator:
            if request.HasField("chunk"):
                assert request.chunk.frames.first == frames, "a gap between chunks"
                frames = request.chunk.frames.end
                lines = fake_data(await self.artifacts.get_bytes(request.chunk.chunk.sha256)).splitlines(True)
                lines = lines[request.chunk.skip : len(lines) - request.chunk.rest]
                content += b"".join(lines)
                yield await self._published(request.chunk, lines)
                yield merger_pb2.MergeResponse(progress=merger_pb2.MergeProgress(frames=frames))
            elif request.HasField("speech"):
                assert request.speech.samples.first == samples, "a gap in the speech"
                samples = request.speech.samples.end
            elif request.HasField("end"):
                self.record = request.end.provenance_json
            if self.break_times or 0 < self.breaks_at < frames:
                self.break_times = max(0, self.break_times - 1)
                raise Busy("the merger hiccups", 0.01)
        if self.hold is not None:
            await self.hold.wait()
        assert not self.breaks_at, "there is no such frame"
        video = await self.artifacts.put_bytes(content)
        poster = await self.artifacts.put_bytes(f"a picture of {frames} frames".encode())
        yield merger_pb2.MergeResponse(
            result=merger_pb2.MergeResult(
                video=artifact_to_proto(video),
                poster=artifact_to_proto(poster),
                frames=frames,
                samples=samples,
                signed_by=self.signed_by,
                warnings=self.warnings,
            )
        )

    async def _published(
        self, chunk: merger_pb2.MergeChunk, lines: Sequence[bytes]
    ) -> merger_pb2.MergeResponse:
        """A chunk as a segment, or its beginning."""
        first, end = chunk.frames.first, chunk.frames.end
        end = self.breaks_at if first < self.breaks_at < end else end
        media = await self.artifacts.put_bytes(b"".join(lines[: end - first]))
        frames = common_pb2.Span(first=first, end=end)
        return merger_pb2.MergeResponse(
            segment=common_pb2.Segment(frames=frames, media=artifact_to_proto(media))
        )


@asynccontextmanager
async def serve_fake(servicer: Any, service: str, register: Any, port: int = 0) -> AsyncGenerator[Running]:
    def add(server: grpc.aio.Server) -> None:
        register(servicer, server)

    async with serving(Program(f"mouthpiece.v1.{service}", servicer, add), "127.0.0.1", port, 0.2) as running:
        yield running


@dataclass
class FakeSuite:
    """A real gateway among fake services. `restart` is what a supervisor does after a crash."""

    data: Path
    artifacts: ArtifactStore
    speech: FakeSpeech
    workers: list[FakeWorker]
    merger: FakeMerger
    common: CommonSettings
    settings: GatewaySettings
    services: list[AsyncExitStack] = field(default_factory=list)
    address: str = ""
    gateway: AsyncExitStack = field(default_factory=AsyncExitStack)

    @property
    def http(self) -> HttpFront:
        return self.servicer.http

    @property
    def stub(self) -> gateway_pb2_grpc.VideoServiceAsyncStub:
        return VideoServiceStub(self.channel)

    async def start_gateway(self) -> None:
        program = gateway_program(self.common, self.settings)
        running = await self.gateway.enter_async_context(
            serving(program, "127.0.0.1", self.settings.port, 0.2)
        )
        assert isinstance(program.servicer, VideoServicer)
        self.servicer = program.servicer
        self.address = running.address
        self.channel = await self.gateway.enter_async_context(dial(running.address))

    @property
    def http_url(self) -> str:
        return f"http://127.0.0.1:{self.http.port}"

    async def stop_gateway(self) -> None:
        await self.gateway.aclose()
        self.gateway = AsyncExitStack()

    async def restart_gateway(self) -> None:
        await self.stop_gateway()
        await self.start_gateway()

    async def stop_worker(self, index: int) -> None:
        await self.services[index].aclose()

    async def video(self, job_id: str) -> bytes:
        call = self.stub.DownloadVideo(DownloadVideoRequest(job_id=job_id))
        return b"".join([part.data async for part in call])


def frame_lines(count: int) -> bytes:
    return "".join(f"{frame}\n" for frame in range(count)).encode()


@asynccontextmanager
async def fake_suite(
    folder: Path, workers: int = 2, *, real_merger: bool = False, real_speech: bool = False, **settings: Any
) -> AsyncGenerator[FakeSuite]:
    common = CommonSettings(data=folder)
    artifacts = ArtifactStore.open(common.artifacts_url)
    speech, merger = FakeSpeech(), FakeMerger(artifacts)
    fakes = [FakeWorker(f"w{number}", artifacts) for number in range(workers)]
    async with AsyncExitStack() as stack:
        addresses: list[str] = []
        services: list[AsyncExitStack] = []
        for fake in fakes:
            own = await stack.enter_async_context(AsyncExitStack())
            running = await own.enter_async_context(
                serve_fake(fake, "LipSyncService", lipsync_pb2_grpc.add_LipSyncServiceServicer_to_server)
            )
            addresses.append(running.address)
            services.append(own)
        speaking: Any = SpeechServicer(common, TtsSettings()) if real_speech else speech
        tts = await stack.enter_async_context(
            serve_fake(speaking, "SpeechService", tts_pb2_grpc.add_SpeechServiceServicer_to_server)
        )
        joining: Any = MergerServicer(common, MergerSettings()) if real_merger else merger
        joiner = await stack.enter_async_context(
            serve_fake(joining, "MergerService", merger_pb2_grpc.add_MergerServiceServicer_to_server)
        )
        own_settings = GatewaySettings(
            port=0,
            http_port=0,
            tts=tts.address,
            merger=joiner.address,
            workers=",".join(addresses),
            **settings,
        )
        suite = FakeSuite(folder, artifacts, speech, fakes, merger, common, own_settings, services)
        stack.push_async_callback(suite.stop_gateway)
        await suite.start_gateway()
        yield suite
