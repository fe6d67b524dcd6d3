"""The paths that clients of older lip-sync systems call, with the bodies that they send and read.

They are told in the words of those clients (task, status, gpu_id), done by the functions that do all else.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from mouthpiece import __version__
from mouthpiece.errors import BadInput
from mouthpiece.rpc.convert import duration
from mouthpiece.settings import GatewaySettings
from mouthpiece.v1 import gateway_pb2 as pb
from services.gateway.http.answers import as_dict
from services.gateway.http.bodies import json_object
from services.gateway.http.calls import CALLER, finished
from services.gateway.http.endpoints import JSON, MP4, Endpoint
from services.gateway.http.reports import gpu_of, processing_details, queue_of, status_of
from services.gateway.uploads import Uploads

if TYPE_CHECKING:
    from services.gateway.servicer import VideoServicer

FORM = "multipart/form-data"

_FORM_FIELDS = {
    "spec.avatar_sha256": "video",
    "spec.audio_sha256": "audio",
    **{
        f"spec.{name}": name for name in ("text", "language", "voice", "engine", "title", "consent_reference")
    },
}
_BODY_FIELDS = {"spec.text": "text", "spec.language": "language"}
_MESSAGE_FIELDS = {"spec.text": "message", "spec.language": "language"}
"""What clients of each path call the fields of a job."""

_BLOCK = 1 << 20
_Value = TypeVar("_Value", str, int, float, bool)
_Number = TypeVar("_Number", int, float)
_KINDS = {str: "text", int: "a whole number", float: "a number", bool: "true or false"}


class OlderPaths:
    """The façade."""

    def __init__(self, gateway: VideoServicer, uploads: Uploads, settings: GatewaySettings) -> None:
        self._gateway = gateway
        self._uploads = uploads
        self._settings = settings

    def endpoints(self) -> list[Endpoint]:
        """All of them."""
        return [
            Endpoint(
                "GenerateVideo",
                "POST",
                "/api/generate",
                self.generate,
                "Begin a video from a face (`video`: a video or picture) and `text`, or from `audio`.",
                JSON,
                FORM,
                202,
                upload=True,
            ),
            Endpoint(
                "GenerateVideo",
                "POST",
                "/api/generate_parallel",
                self.generate_parallel,
                "Make a video of `text` in a `language` with at most `num_workers`; answers with the video.",
                MP4,
                JSON,
            ),
            Endpoint(
                "GenerateVideo",
                "POST",
                "/generate_video",
                self.generate_video,
                "Make a video of a `message`, in chunks of `chunk_duration` seconds if `enable_parallel`.",
                JSON,
                JSON,
            ),
            Endpoint("GetJob", "GET", "/api/status/{id}", self.status, "How far a task is.", JSON),
            Endpoint("ListJobs", "GET", "/api/queue", self.queue, "Tasks that wait and that run.", JSON),
            Endpoint(
                "GetCluster", "GET", "/api/gpu-status", self.gpu_status, "Devices and what they do.", JSON
            ),
            Endpoint("ListEngines", "GET", "/api/info", self.info, "What this is and what it can do.", JSON),
            Endpoint(
                "",
                "GET",
                "/api/health",
                self.health,
                "Whether it can work, and which models are loaded.",
                JSON,
            ),
        ]

    # ------------------------------------------------------------ making videos

    async def generate(self, request: Request) -> Response:
        """Accept a task."""
        # Files of a form go to disk as they arrive; fields stay in memory, and no text is larger than this.
        limit = 12 * self._settings.max_text
        async with request.form(max_files=2, max_fields=20, max_part_size=limit) as form:
            fields = {name: value for name, value in form.items() if isinstance(value, str)}
            spec = pb.JobSpec(
                text=fields.get("text", ""),
                language=fields.get("language", ""),
                voice=fields.get("voice", ""),
                engine=fields.get("engine", ""),
                title=fields.get("title", ""),
                consent_reference=fields.get("consent_reference", ""),
            )
            files = {name: value for name, value in form.items() if isinstance(value, UploadFile)}
            if "video" not in files:
                raise BadInput("video", "is missing: send the face as a file")
            spec.avatar_sha256 = await self._stored("video", files)
            spec.audio_sha256 = await self._stored("audio", files)
        job = await self._submit(spec, _FORM_FIELDS)
        return JSONResponse(
            {
                "task_id": job.id,
                "status": "queued",
                "status_url": f"/api/status/{job.id}",
                "events_url": f"/api/events/{job.id}",
                "stream_url": f"/api/stream/{job.id}/index.m3u8",
            },
            202,
        )

    async def generate_parallel(self, request: Request) -> Response:
        """A video, at once."""
        body = await json_object(request)
        spec = pb.JobSpec(
            text=_field(body, "text", ""),
            language=_field(body, "language", ""),
            max_workers=_bounded("num_workers", _field(body, "num_workers", 0), 0, 10_000),
        )
        job = await finished(self._gateway, await self._submit(spec, _BODY_FIELDS))
        return await self._video(job)

    async def generate_video(self, request: Request) -> Response:
        """A video, and how it was made."""
        body = await json_object(request)
        agent = _field(body, "agent_type", "general")
        parallel = _field(body, "enable_parallel", True)
        seconds = _field(body, "chunk_duration", 0.0)
        spec = pb.JobSpec(
            text=_field(body, "message", ""),
            language=_field(body, "language", ""),
            mode=_mode(seconds) if parallel else pb.MODE_SINGLE,
        )
        if parallel and seconds:
            spec.chunk_length.CopyFrom(duration(_bounded("chunk_duration", seconds, 0.2, 600)))
        job = await finished(self._gateway, await self._submit(spec, _MESSAGE_FIELDS))
        return JSONResponse(
            {
                "success": True,
                "task_id": job.id,
                "agent_type": agent,
                "message": spec.text,
                "video_url": f"/api/download/{job.id}",
                "processing_details": processing_details(job),
            }
        )

    async def _submit(self, spec: pb.JobSpec, names: Mapping[str, str]) -> pb.Job:
        with _told_by(names):
            return (await self._gateway.SubmitJob(pb.SubmitJobRequest(spec=spec), CALLER)).job

    async def _stored(self, name: str, files: Mapping[str, UploadFile]) -> str:
        """The name of a file of a form as an asset; empty without such a file."""
        if name not in files:
            return ""
        with _told_by({"header.size_bytes": name}):
            return (await self._uploads.take(_blocks(files[name]))).sha256

    async def _video(self, job: pb.Job) -> Response:
        parts = self._gateway.DownloadVideo(pb.DownloadVideoRequest(job_id=job.id), CALLER)
        size = (await anext(parts)).video.size_bytes
        headers = {
            "Content-Length": str(size),
            "Content-Disposition": f'attachment; filename="{job.id}.mp4"',
            "X-Task-Id": job.id,
        }
        return StreamingResponse((part.data async for part in parts), 200, headers, MP4)

    # ------------------------------------------------------------ looking

    async def status(self, request: Request) -> Response:
        """A task."""
        query = pb.GetJobRequest(job_id=request.path_params["id"])
        job = (await self._gateway.GetJob(query, CALLER)).job
        return JSONResponse(status_of(job, await self._cluster(), await self._waiting()))

    async def queue(self, _request: Request) -> Response:
        """The queue."""
        return JSONResponse(queue_of(await self._cluster(), await self._waiting()))

    async def gpu_status(self, _request: Request) -> Response:
        """Devices."""
        cluster = await self._cluster()
        gpus = [gpu_of(worker) for worker in cluster.workers]
        return JSONResponse(
            {
                "gpus": gpus,
                "total_gpus": len(gpus),
                "available_gpus": sum(gpu["status"] == "idle" for gpu in gpus),
                "queued_tasks": cluster.queued_jobs,
            }
        )

    async def info(self, _request: Request) -> Response:
        """What this is."""
        found = await self._gateway.ListEngines(pb.ListEnginesRequest(), CALLER)
        return JSONResponse(
            {
                "name": "mouthpiece",
                "version": __version__,
                "engines": as_dict(found).get("engines", []),
                "limits": {
                    "max_text_characters": self._settings.max_text,
                    "max_upload_bytes": self._settings.max_upload_bytes,
                },
                "openapi_url": "/openapi.json",
            }
        )

    async def health(self, _request: Request) -> Response:
        """Whether videos can be made."""
        found = await self._gateway.ListEngines(pb.ListEnginesRequest(), CALLER)
        names = {engine.name for engine in found.engines}
        models = {name for name in names if name.startswith("wav2lip")}
        nogan = {name for name in models if "nogan" in name}
        return JSONResponse(
            {
                "status": "healthy" if names else "degraded",
                "version": __version__,
                "engines": sorted(names),
                "gan_model_loaded": bool(models - nogan),
                "nogan_model_loaded": bool(nogan),
            }
        )

    async def _cluster(self) -> pb.Cluster:
        return (await self._gateway.GetCluster(pb.GetClusterRequest(), CALLER)).cluster

    async def _waiting(self) -> list[pb.Job]:
        """Jobs that have not begun, oldest first."""
        query = pb.ListJobsRequest(page_size=1000, states=[pb.JOB_STATE_QUEUED])
        return list(reversed((await self._gateway.ListJobs(query, CALLER)).jobs))


@contextmanager
def _told_by(names: Mapping[str, str]) -> Generator[None]:
    """Tell what is wrong by the names that the client knows."""
    try:
        yield
    except BadInput as error:
        raise error.renamed(names) from None


def _mode(seconds: float) -> pb.Mode.ValueType:
    return pb.MODE_CHUNKED if seconds else pb.MODE_AUTO


def _field(body: dict[str, Any], name: str, default: _Value) -> _Value:
    """A field of a JSON body, of the type of its default. Raises `BadInput`."""
    value = body.get(name)
    if value is None:
        return default
    kind = type(default)
    if kind is float and type(value) is int:
        try:
            return kind(value)
        except OverflowError:
            raise BadInput(name, "is too large") from None
    if type(value) is not kind:
        raise BadInput(name, f"must be {_KINDS[kind]}")
    return value


def _bounded(name: str, value: _Number, least: float, most: float) -> _Number:
    if not least <= value <= most:
        raise BadInput(name, f"{value} is not between {least:g} and {most:g}")
    return value


async def _blocks(file: UploadFile) -> AsyncGenerator[bytes]:
    while block := await file.read(_BLOCK):
        yield block
