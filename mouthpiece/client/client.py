"""The asynchronous client of a gateway."""

from __future__ import annotations

import asyncio
import logging
import os
import uuid
from collections.abc import AsyncGenerator, Callable, Generator, Mapping, Sequence
from contextlib import aclosing, closing, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, get_args

from grpc.aio import UnaryStreamCall

from mouthpiece.artifacts import Artifact
from mouthpiece.choices import StateName
from mouthpiece.client._link import Link, OnRetry
from mouthpiece.client._upload import Upload
from mouthpiece.client.files import PartFile, check_readable, check_writable, destination, name_file
from mouthpiece.client.options import VideoOptions, pronunciation
from mouthpiece.client.outcome import ENDED, check_done
from mouthpiece.client.retry import Patience
from mouthpiece.errors import BadInput, DataLoss, MouthpieceError, NotFound, Reason, Unmet
from mouthpiece.rpc.convert import artifact_from_proto
from mouthpiece.v1 import common_pb2, gateway_pb2, tts_pb2

OnEvent = Callable[[gateway_pb2.JobEvent], None]
OnBytes = Callable[[int, int], None]
"""Told how many bytes are there, and of how many."""

TOKEN_VARIABLE = "MOUTHPIECE_TOKEN"

FileName = Literal["video", "captions_vtt", "captions_srt", "poster"]
"""A file that a job makes, by its field in the result."""

_FILES: dict[FileName, gateway_pb2.ResultFile.ValueType] = {
    "video": gateway_pb2.RESULT_FILE_VIDEO,
    "captions_vtt": gateway_pb2.RESULT_FILE_CAPTIONS_VTT,
    "captions_srt": gateway_pb2.RESULT_FILE_CAPTIONS_SRT,
    "poster": gateway_pb2.RESULT_FILE_POSTER,
}

_CALL_OFF_SECONDS = 10.0
"""Longest that a caller who gives up waits until the gateway knows."""

_log = logging.getLogger(__name__)
_SAYS = {gateway_pb2.JOB_STATE_FAILED: "failed", gateway_pb2.JOB_STATE_CANCELLED: "was cancelled"}


class Client:
    """A connection to a gateway: ``async with Client("localhost:50051") as client``.

    Where several gateways share the work, `address` may name them all, separated by commas: what one does
    not answer, the next is asked.

    Errors are those of `mouthpiece.errors`. Calls and streams outlive a gateway that restarts: they try
    again for as long as `patience` allows, then raise `Unavailable`. `on_retry` hears of each failure and
    of the seconds until the next attempt.

    `token` is an API key or a JWT, by default what MOUTHPIECE_TOKEN holds. The connection is TLS when
    MOUTHPIECE_TLS_AUTHORITY names the authority of the gateway's certificate.
    """

    def __init__(
        self,
        address: str = "localhost:50051",
        *,
        patience: Patience = Patience(),  # noqa: B008 - frozen
        on_retry: OnRetry | None = None,
        token: str | None = None,
    ) -> None:
        shown = os.environ.get(TOKEN_VARIABLE, "") if token is None else token
        self._link = Link(address, patience, on_retry, shown)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connection."""
        await self._link.close()

    async def connect(self, seconds: float = 5.0) -> None:
        """Find out at once whether a gateway is there. Raises `Unavailable`."""
        await self._link.connect(seconds)

    # ------------------------------------------------------------ videos

    async def generate(
        self,
        out: Path | str,
        *,
        text: str = "",
        audio: Path | str | None = None,
        avatar: Path | str | None = None,
        options: VideoOptions = VideoOptions(),  # noqa: B008 - frozen
        on_event: OnEvent | None = None,
        on_upload: OnBytes | None = None,
        on_download: OnBytes | None = None,
    ) -> gateway_pb2.Job:
        """Make a video from words or a recording, and write it to `out`.

        With `audio`, `text` holds the words that the recording says, if known. Without `avatar` the suite's
        own face speaks. Everything that can be wrong on this side is found before anything is sent. When
        this call is cancelled, so is the job.

        Raises `BadInput` for what is wrong with the request, `JobFailed` or `JobCancelled` for how the job
        ended, and what `upload`, `submit` and `download` raise.
        """
        out = Path(out)
        check_writable(out, "output")
        spec = await self.prepare(text=text, audio=audio, avatar=avatar, options=options, on_upload=on_upload)
        submitting = asyncio.create_task(self.submit(spec))
        try:
            job = await asyncio.shield(submitting)
            job = await self.follow(job.id, on_event)
        except asyncio.CancelledError:
            await self._call_off(submitting)
            raise
        await self.download(job.id, out, on_bytes=on_download)
        await self.download_captions(job, out)
        return job

    async def _call_off(self, submitting: asyncio.Task[gateway_pb2.Job]) -> None:
        """Cancel a job even if nobody knows yet whether it was accepted."""
        try:
            async with asyncio.timeout(_CALL_OFF_SECONDS):
                await self.cancel((await submitting).id)
        except (MouthpieceError, TimeoutError) as error:
            _log.warning("a job may go on: it could not be cancelled (%s)", error)

    async def prepare(
        self,
        *,
        text: str = "",
        audio: Path | str | None = None,
        avatar: Path | str | None = None,
        options: VideoOptions = VideoOptions(),  # noqa: B008 - frozen
        on_upload: OnBytes | None = None,
    ) -> gateway_pb2.JobSpec:
        """Upload the files and describe the job. Raises what `upload` raises, and `BadInput`."""
        files = {field: Path(path) for field, path in (("audio", audio), ("avatar", avatar)) if path}
        if options.voice_reference:
            files["voice_reference"] = _voice_file(options.voice_reference, files.get("avatar"))
        if options.background and not options.background.startswith("#"):
            files["background"] = Path(options.background)
        if "audio" not in files:
            options.spec(text=text)  # refuses an empty text before anything is sent
        for field, path in files.items():
            check_readable(path, field)
        stored = {
            field: await self.upload(path, field=field, on_bytes=on_upload) for field, path in files.items()
        }
        names = {field: artifact.sha256 for field, artifact in stored.items()}
        return options.spec(
            text=text,
            audio_sha256=names.get("audio", ""),
            avatar_sha256=names.get("avatar", ""),
            voice_reference_sha256=names.get("voice_reference", ""),
            background_sha256=names.get("background", ""),
        )

    async def submit(self, spec: gateway_pb2.JobSpec, request_id: str = "") -> gateway_pb2.Job:
        """Hand a job in. Without a `request_id` each call makes a new job, however often it is retried.

        Raises `BadInput`, `Unmet`, `AlreadyExists` or `Busy`.
        """
        request = gateway_pb2.SubmitJobRequest(spec=spec, request_id=request_id or uuid.uuid4().hex)
        response = await self._link.ask(lambda stub: stub.SubmitJob, request)
        return response.job

    async def plan(self, spec: gateway_pb2.JobSpec) -> gateway_pb2.PlanJobResponse:
        """What `submit` would do. Raises what `submit` raises."""
        request = gateway_pb2.PlanJobRequest(spec=spec)
        return await self._link.ask(lambda stub: stub.PlanJob, request)

    # ------------------------------------------------------------ jobs

    async def watch(self, job_id: str, from_sequence: int = 1) -> AsyncGenerator[gateway_pb2.JobEvent, None]:
        """Yield the events of a job from a sequence number on, up to the one that ends it.

        A restart of the gateway is not seen: no stored event is missed or repeated. Whoever stops early
        closes the iterator (`contextlib.aclosing`). Raises `NotFound`.
        """
        upcoming = max(1, from_sequence)

        async def ended() -> bool:
            job = await self.get_job(job_id)
            return job.state in ENDED and job.last_sequence < upcoming

        stream = self._link.resumed(
            lambda: self._link.stub.WatchJob(
                gateway_pb2.WatchJobRequest(job_id=job_id, from_sequence=upcoming)
            ),
            ended,
        )
        async with aclosing(stream) as responses:
            async for response in responses:
                event = response.event
                if event.sequence:
                    if event.sequence < upcoming:
                        continue
                    if event.sequence > upcoming:
                        raise MouthpieceError(f"job {job_id}: event {upcoming} is missing from its history")
                    upcoming += 1
                yield event
                if event.state.state in ENDED:
                    return

    async def follow(self, job_id: str, on_event: OnEvent | None = None) -> gateway_pb2.Job:
        """Wait until a job is done and return it. Raises `NotFound`, `JobFailed` or `JobCancelled`."""
        async with aclosing(self.watch(job_id)) as events:
            async for event in events:
                if on_event is not None:
                    on_event(event)
        job = await self.get_job(job_id)
        check_done(job)
        return job

    async def get_job(self, job_id: str) -> gateway_pb2.Job:
        """A job with its chunks. Raises `NotFound`."""
        request = gateway_pb2.GetJobRequest(job_id=job_id)
        response = await self._link.ask(lambda stub: stub.GetJob, request)
        return response.job

    async def list_jobs(self, states: Sequence[str] = (), limit: int = 0) -> list[gateway_pb2.Job]:
        """Jobs, newest first, without their chunks; `states` such as "running", `limit` 0: all.

        Raises `BadInput` (field `states`) for a state that does not exist.
        """
        request = gateway_pb2.ListJobsRequest(states=[_state(name) for name in states])
        request.page_size = min(limit or 1000, 1000)
        jobs: list[gateway_pb2.Job] = []
        while True:
            page = await self._link.ask(lambda stub: stub.ListJobs, request)
            jobs.extend(page.jobs)
            if not page.next_page_token or (limit and len(jobs) >= limit):
                return jobs[:limit] if limit else jobs
            request.page_token = page.next_page_token

    async def cancel(self, job_id: str) -> gateway_pb2.Job:
        """Stop a job; one that has ended stays as it is. Raises `NotFound`."""
        request = gateway_pb2.CancelJobRequest(job_id=job_id)
        response = await self._link.ask(lambda stub: stub.CancelJob, request)
        return response.job

    async def delete(self, job_id: str) -> None:
        """Forget a job that has ended. Raises `NotFound`, or `Unmet` while it runs."""
        request = gateway_pb2.DeleteJobRequest(job_id=job_id)
        await self._link.ask(lambda stub: stub.DeleteJob, request)

    # ------------------------------------------------------------ files

    async def upload(
        self, path: Path | str, *, field: str = "path", on_bytes: OnBytes | None = None
    ) -> Artifact:
        """Store a file at the gateway; goes on where an earlier attempt stopped.

        Raises `BadInput` naming `field` when the file cannot be read or is refused, `DataLoss` when it
        changed meanwhile.
        """
        path = Path(path)
        content = await asyncio.to_thread(name_file, path, field)
        backoff = self._link.backoff()
        sending = Upload(lambda: self._link.stub, path, content, on_bytes or _ignore, backoff.heard)
        with _blamed(field, path):
            await self._link.retried(sending.attempt, backoff)
        return content

    async def download(
        self, job_id: str, out: Path | str, *, file: FileName = "video", on_bytes: OnBytes | None = None
    ) -> Artifact:
        """Write a finished video, or its captions, to `out`: whole or not at all; goes on where an earlier
        attempt stopped.

        Raises `NotFound`, also when the job made no such file, `Unmet` (JOB_NOT_DONE), `BadInput` (field
        `output`) when `out` cannot be written, `DataLoss` when the content is not what the job says.
        """
        goal = destination(Path(out), "output")
        content = await self._content(job_id, file)
        try:
            with closing(PartFile(goal, content)) as part:
                resumed = part.size > 0
                await self._fetch(job_id, file, part, content, on_bytes or _ignore)
                if resumed and not part.intact():
                    part.restart()
                    await self._fetch(job_id, file, part, content, on_bytes or _ignore)
                part.finish()
        except OSError as error:
            raise BadInput("output", f"{goal} cannot be written: {error.strerror or error}") from None
        return content

    async def download_captions(self, job: gateway_pb2.Job, out: Path) -> list[Path]:
        """Write the captions of a finished job beside its video `out`, as .vtt and .srt; none if it has none.

        Raises what `download` raises.
        """
        names: tuple[FileName, FileName] = ("captions_vtt", "captions_srt")
        there: list[FileName] = [name for name in names if job.result.HasField(name)]
        paths = [out.with_suffix(f".{name.rpartition('_')[2]}") for name in there]
        for name, path in zip(there, paths, strict=True):
            await self.download(job.id, path, file=name)
        return paths

    async def _content(self, job_id: str, file: FileName) -> Artifact:
        job = await self.get_job(job_id)
        if not job.HasField("result"):
            raise Unmet(
                Reason.JOB_NOT_DONE,
                f"job {job_id} has no video: it {_SAYS.get(job.state, 'is not done yet')}",
            )
        if not job.result.HasField(file):
            raise NotFound(f"job {job_id} has no {file.partition('_')[0]}")
        return artifact_from_proto(getattr(job.result, file))

    async def _fetch(
        self, job_id: str, file: FileName, part: PartFile, content: Artifact, on_bytes: OnBytes
    ) -> None:
        async def complete() -> bool:
            return part.complete

        stream = self._link.resumed(
            lambda: self._link.stub.DownloadVideo(
                gateway_pb2.DownloadVideoRequest(job_id=job_id, offset=part.size, file=_FILES[file])
            ),
            complete,
        )
        on_bytes(part.size, content.size_bytes)
        if part.complete:
            return
        async with aclosing(stream) as responses:
            async for response in responses:
                part.append(response.data)
                on_bytes(part.size, content.size_bytes)

    async def stream(self, job_id: str) -> AsyncGenerator[bytes, None]:
        """Yield a job's video from its first frame on, as fragmented MP4, while it is being made.

        A stream that breaks is begun again, and what came before is skipped: a job gives the same bytes each
        time. Raises `NotFound`, the error with which the job fails, and `Unmet` (JOB_NOT_DONE) when it is
        cancelled.
        """
        given = position = 0
        request = gateway_pb2.DownloadVideoRequest(job_id=job_id, follow=True)

        def begin() -> UnaryStreamCall[Any, gateway_pb2.DownloadVideoResponse]:
            nonlocal position
            position = 0
            return self._link.stub.DownloadVideo(request)

        async def complete() -> bool:
            return True  # it ends by itself with the job only

        async with aclosing(self._link.resumed(begin, complete)) as responses:
            async for response in responses:
                position += len(response.data)
                if position > given:
                    yield response.data[given - position :]
                    given = position

    # ------------------------------------------------------------ the suite

    async def cluster(self) -> gateway_pb2.Cluster:
        """Workers and queue."""
        request = gateway_pb2.GetClusterRequest()
        response = await self._link.ask(lambda stub: stub.GetCluster, request)
        return response.cluster

    async def watch_cluster(self) -> AsyncGenerator[gateway_pb2.Cluster, None]:
        """Yield workers and queue now and whenever they change, until closed."""

        async def complete() -> bool:
            return False

        request = gateway_pb2.WatchClusterRequest()
        stream = self._link.resumed(lambda: self._link.stub.WatchCluster(request), complete)
        async with aclosing(stream) as responses:
            async for response in responses:
                yield response.cluster

    async def voices(self, language: str = "") -> list[tts_pb2.Voice]:
        """Voices that can be named, of one language or all."""
        request = gateway_pb2.ListVoicesRequest(language=language)
        response = await self._link.ask(lambda stub: stub.ListVoices, request)
        return list(response.voices)

    async def normalize(
        self,
        text: str,
        language: str = "",
        *,
        ssml: bool = False,
        pronunciations: Mapping[str, str] | None = None,
    ) -> tts_pb2.NormalizedText:
        """What a voice would say for a text, and where each part of it stands in the text.

        ``pronunciations`` as in `VideoOptions`.
        """
        request = gateway_pb2.NormalizeTextRequest(text=text, language=language)
        request.pronunciations.extend(
            pronunciation(word, said) for word, said in (pronunciations or {}).items()
        )
        if ssml:
            request.markup = tts_pb2.MARKUP_SSML
        return (await self._link.ask(lambda stub: stub.NormalizeText, request)).normalized

    async def engines(self) -> list[common_pb2.Engine]:
        """Engines that at least one live worker has."""
        request = gateway_pb2.ListEnginesRequest()
        response = await self._link.ask(lambda stub: stub.ListEngines, request)
        return list(response.engines)


def _state(name: str) -> gateway_pb2.JobState.ValueType:
    if name not in get_args(StateName):
        raise BadInput("states", f"{name!r} is not one of {', '.join(get_args(StateName))}")
    return gateway_pb2.JobState.Value(f"JOB_STATE_{name.upper()}")


@contextmanager
def _blamed(field: str, path: Path) -> Generator[None]:
    """Say which file and option of the caller's a refusal is about."""
    try:
        yield
    except BadInput as error:
        raise BadInput(field, f"{path}: {error.violations[0].description}") from None
    except DataLoss:
        raise DataLoss(f"{path} changed while it was sent; try again") from None
    except OSError as error:
        raise BadInput(field, f"{path} cannot be read: {error.strerror or error}") from None


def _ignore(_done: int, _total: int) -> None:
    """Where nobody wants to hear of bytes."""


def _voice_file(reference: str, avatar: Path | None) -> Path:
    """The file with the voice to speak in."""
    if reference != "avatar":
        return Path(reference)
    if avatar is None:
        raise BadInput("voice_reference", "our own avatar has no voice: give an avatar video, or a recording")
    return avatar
