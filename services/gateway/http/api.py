"""The REST interface of the suite itself: each operation is one of `VideoService`, told in HTTP."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from mouthpiece.artifacts import ArtifactStore
from mouthpiece.errors import BadInput, NotFound, Unavailable
from mouthpiece.rpc.convert import artifact_to_proto
from mouthpiece.v1 import gateway_pb2 as pb
from services.gateway import metrics
from services.gateway.http import hls
from services.gateway.http.answers import answer, as_dict, is_whole, no_content, whole_number
from services.gateway.http.bodies import body_as
from services.gateway.http.calls import CALLER, is_over
from services.gateway.http.endpoints import MP4, Endpoint
from services.gateway.http.files import disposition, nothing, wanted_part
from services.gateway.http.sse import encoded, event_stream
from services.gateway.jobs import Jobs
from services.gateway.uploads import MAX_BLOCK, Uploads

if TYPE_CHECKING:
    from services.gateway.servicer import VideoServicer

_SRT = "application/x-subrip"
EVENTS = "text/event-stream"
JPEG = "image/jpeg"
BYTES = "application/octet-stream"

FIRST_SEGMENT_WITHIN = 10.0
"""Seconds for which a player that comes early is kept waiting for the first segment."""

_MOST_INT32 = (1 << 31) - 1

_FOR_EVER = {"Cache-Control": "private, max-age=31536000, immutable"}
_NOT_KEPT = {"Cache-Control": "no-store"}
_SEGMENT = re.compile(r"(init-)?(\d{1,7})\.(?:m4s|mp4)")


class Api:
    """The operations. `stopping` ends streams that would not end by themselves."""

    def __init__(
        self,
        gateway: VideoServicer,
        jobs: Jobs,
        uploads: Uploads,
        artifacts: ArtifactStore,
        stopping: asyncio.Event,
    ) -> None:
        self._gateway = gateway
        self._jobs = jobs
        self._uploads = uploads
        self._artifacts = artifacts
        self._stopping = stopping

    def endpoints(self) -> list[Endpoint]:
        """All of them."""
        parts = (self._asset_endpoints, self._job_endpoints, self._watch_endpoints, self._cluster_endpoints)
        return [endpoint for part in parts for endpoint in part()]

    def _asset_endpoints(self) -> list[Endpoint]:
        return [
            Endpoint(
                "UploadAsset",
                "POST",
                "/api/assets",
                self.post_asset,
                "Store a face or a recording: the body is the file.",
                pb.UploadAssetResponse,
                BYTES,
                201,
                upload=True,
            ),
            Endpoint(
                "UploadAsset",
                "PUT",
                "/api/assets/{sha256}",
                self.put_asset,
                "Store a file whose SHA-256 is known, or go on with one: the body is what follows `offset`.",
                pb.UploadAssetResponse,
                BYTES,
                201,
                upload=True,
                query={"offset": "Where the body belongs.", "size": "Size of the whole file in bytes."},
            ),
            Endpoint(
                "QueryUpload",
                "GET",
                "/api/assets/{sha256}",
                self.get_asset,
                "How much of a file has arrived.",
                pb.QueryUploadResponse,
            ),
        ]

    def _job_endpoints(self) -> list[Endpoint]:
        return [
            Endpoint(
                "SubmitJob",
                "POST",
                "/api/jobs",
                self.post_job,
                "Accept a job. An Idempotency-Key makes a repeated call return the same job.",
                pb.Job,
                pb.JobSpec,
                202,
            ),
            Endpoint(
                "ListJobs",
                "GET",
                "/api/jobs",
                self.list_jobs,
                "Jobs, newest first.",
                pb.ListJobsResponse,
                query={
                    "page_size": "At most this many.",
                    "page_token": "`next_page_token` of the page before.",
                    "state": "Only jobs in this state, such as JOB_STATE_DONE; may be repeated.",
                },
            ),
            Endpoint("GetJob", "GET", "/api/jobs/{id}", self.get_job, "A job with its chunks.", pb.Job),
            Endpoint(
                "DeleteJob",
                "DELETE",
                "/api/jobs/{id}",
                self.delete_job,
                "Forget a job that has ended.",
                "",
                None,
                204,
            ),
            Endpoint("CancelJob", "POST", "/api/jobs/{id}/cancel", self.cancel_job, "Stop a job.", pb.Job),
            Endpoint(
                "PlanJob",
                "POST",
                "/api/plan",
                self.plan,
                "What a job would take.",
                pb.PlanJobResponse,
                pb.JobSpec,
            ),
            Endpoint(
                "DownloadVideo",
                "GET",
                "/api/download/{id}",
                self.download,
                "The finished video, or ranges of it.",
                MP4,
                query={"follow": "1: fragmented MP4 from the first frame on, while the job is running."},
            ),
            Endpoint(
                "DownloadVideo",
                "GET",
                "/api/poster/{id}.jpg",
                self.poster,
                "A frame of the video, at most 320 pixels wide and high.",
                JPEG,
            ),
            Endpoint(
                "DownloadVideo",
                "GET",
                "/api/captions/{id}.vtt",
                self.captions_vtt,
                "Captions as WebVTT.",
                "text/vtt",
            ),
            Endpoint(
                "DownloadVideo", "GET", "/api/captions/{id}.srt", self.captions_srt, "Captions as SRT.", _SRT
            ),
        ]

    def _watch_endpoints(self) -> list[Endpoint]:
        return [
            Endpoint(
                "WatchJob",
                "GET",
                "/api/events/{id}",
                self.events,
                "Events of a job (JobEvent), from the beginning, after Last-Event-ID, or from `from` on.",
                EVENTS,
                query={"from": "First sequence number wanted."},
            ),
            Endpoint(
                "DownloadVideo",
                "GET",
                "/api/stream/{id}/index.m3u8",
                self.playlist,
                "The video while it grows, as HLS.",
                hls.MEDIA_TYPE,
            ),
            Endpoint(
                "DownloadVideo", "GET", "/api/stream/{id}/{name}", self.segment, "What a playlist names.", MP4
            ),
        ]

    def _cluster_endpoints(self) -> list[Endpoint]:
        return [
            Endpoint("GetCluster", "GET", "/api/cluster", self.cluster, "Workers and queue.", pb.Cluster),
            Endpoint(
                "WatchCluster",
                "GET",
                "/api/cluster/events",
                self.cluster_events,
                "Workers and queue, whenever they change.",
                EVENTS,
            ),
            Endpoint(
                "ListEngines",
                "GET",
                "/api/engines",
                self.engines,
                "Engines of live workers.",
                pb.ListEnginesResponse,
            ),
            Endpoint(
                "ListVoices",
                "GET",
                "/api/voices",
                self.voices,
                "Voices of the speech service.",
                pb.ListVoicesResponse,
                query={"language": "Only voices of this language."},
            ),
        ]

    # ------------------------------------------------------------ assets

    async def post_asset(self, request: Request) -> Response:
        """A file of unknown hash."""
        asset = await self._uploads.take(request.stream())
        return answer(pb.UploadAssetResponse(asset=artifact_to_proto(asset)), 201)

    async def put_asset(self, request: Request) -> Response:
        """A file, or the rest of it, under its hash."""
        header = pb.UploadHeader(
            sha256=request.path_params["sha256"],
            size_bytes=whole_number(request, "size"),
            offset=whole_number(request, "offset"),
        )
        return answer(await self._gateway.UploadAsset(_upload(header, request.stream()), CALLER), 201)

    async def get_asset(self, request: Request) -> Response:
        """How much of it is there."""
        query = pb.QueryUploadRequest(sha256=request.path_params["sha256"])
        return answer(await self._gateway.QueryUpload(query, CALLER))

    # ------------------------------------------------------------ jobs

    async def post_job(self, request: Request) -> Response:
        """A new job."""
        spec = await body_as(pb.JobSpec, request, "spec")
        key = request.headers.get("idempotency-key", "")
        accepted = await self._gateway.SubmitJob(pb.SubmitJobRequest(spec=spec, request_id=key), CALLER)
        headers = {"Location": f"/api/jobs/{accepted.job.id}"}
        return JSONResponse(as_dict(accepted.job), 202, headers)

    async def list_jobs(self, request: Request) -> Response:
        """A page of jobs."""
        query = pb.ListJobsRequest(
            page_size=min(whole_number(request, "page_size"), _MOST_INT32),
            page_token=request.query_params.get("page_token", ""),
            states=[_state(name) for name in request.query_params.getlist("state")],
        )
        return answer(await self._gateway.ListJobs(query, CALLER))

    async def get_job(self, request: Request) -> Response:
        """A job."""
        found = await self._gateway.GetJob(pb.GetJobRequest(job_id=_job_id(request)), CALLER)
        return answer(found.job)

    async def delete_job(self, request: Request) -> Response:
        """Forget a job."""
        await self._gateway.DeleteJob(pb.DeleteJobRequest(job_id=_job_id(request)), CALLER)
        return no_content()

    async def cancel_job(self, request: Request) -> Response:
        """Stop a job."""
        stopped = await self._gateway.CancelJob(pb.CancelJobRequest(job_id=_job_id(request)), CALLER)
        return answer(stopped.job)

    async def plan(self, request: Request) -> Response:
        """A dry run."""
        spec = await body_as(pb.JobSpec, request, "spec")
        return answer(await self._gateway.PlanJob(pb.PlanJobRequest(spec=spec), CALLER))

    async def download(self, request: Request) -> Response:
        """The video."""
        job_id = _job_id(request)
        if request.query_params.get("follow", "0") != "0":
            return await self._follow(request, job_id)
        job = (await self._gateway.GetJob(pb.GetJobRequest(job_id=job_id), CALLER)).job
        first = await self._parts(pb.DownloadVideoRequest(job_id=job_id, length=1))
        etag = f'"{first.video.sha256}"'
        part = wanted_part(request, first.video.size_bytes, etag)
        headers = {**part.headers, "ETag": etag, "Content-Disposition": disposition(job.spec.title, job_id)}
        whole = pb.DownloadVideoRequest(job_id=job_id, offset=part.first, length=part.end - part.first)
        empty = request.method == "HEAD" or part.status == 416
        body = nothing() if empty else _data(self._gateway.DownloadVideo(whole, CALLER))
        return StreamingResponse(body, part.status, headers, MP4)

    async def poster(self, request: Request) -> Response:
        """A picture of the video; it never changes."""
        return await self._file(_job_id(request), pb.RESULT_FILE_POSTER, JPEG, _FOR_EVER)

    async def captions_vtt(self, request: Request) -> Response:
        """Captions for players."""
        return await self._file(_job_id(request), pb.RESULT_FILE_CAPTIONS_VTT, "text/vtt")

    async def captions_srt(self, request: Request) -> Response:
        """Captions for editors."""
        return await self._file(_job_id(request), pb.RESULT_FILE_CAPTIONS_SRT, _SRT)

    async def _file(
        self,
        job_id: str,
        file: pb.ResultFile.ValueType,
        media_type: str,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """One of the small files of a job."""
        parts = self._gateway.DownloadVideo(pb.DownloadVideoRequest(job_id=job_id, file=file), CALLER)
        return Response(b"".join([part.data async for part in parts]), 200, headers, media_type)

    async def _parts(self, query: pb.DownloadVideoRequest) -> pb.DownloadVideoResponse:
        """The first part of a download; what is wrong shows before the answer begins."""
        parts = self._gateway.DownloadVideo(query, CALLER)
        try:
            return await anext(parts)
        finally:
            await parts.aclose()

    async def _follow(self, request: Request, job_id: str) -> Response:
        await self._gateway.GetJob(pb.GetJobRequest(job_id=job_id), CALLER)
        query = pb.DownloadVideoRequest(job_id=job_id, follow=True)
        body = nothing() if request.method == "HEAD" else _data(self._gateway.DownloadVideo(query, CALLER))
        return StreamingResponse(body, 200, _NOT_KEPT, MP4)

    # ------------------------------------------------------------ watching

    async def events(self, request: Request) -> Response:
        """Events of a job; 204 when there will be no more, so that browsers do not come back."""
        job_id = _job_id(request)
        seen = request.headers.get("last-event-id", "")
        begin = int(seen) + 1 if is_whole(seen) else max(1, whole_number(request, "from"))
        job = (await self._gateway.GetJob(pb.GetJobRequest(job_id=job_id), CALLER)).job
        if is_over(job) and begin > job.last_sequence:
            return no_content()
        return event_stream(self._events(job_id, begin), self._stopping)

    async def _events(self, job_id: str, begin: int) -> AsyncGenerator[bytes]:
        query = pb.WatchJobRequest(job_id=job_id, from_sequence=begin)
        async for message in self._gateway.WatchJob(query, CALLER):
            yield _told(message.event.SerializeToString())

    async def playlist(self, request: Request) -> Response:
        """The playlist as it is now; one that would be empty is waited for."""
        job_id = _job_id(request)
        job, segments = await self._jobs.segments(job_id)
        if not segments and not is_over(job):
            await self._first_segment(job_id)
            job, segments = await self._jobs.segments(job_id)
        if not segments:
            raise NotFound(f"there is nothing to play of job {job_id}")
        fps = Fraction(job.format.fps.numerator, job.format.fps.denominator)
        text = hls.playlist(segments, fps, ended=is_over(job))
        return Response(text, 200, _NOT_KEPT, hls.MEDIA_TYPE)

    async def _first_segment(self, job_id: str) -> None:
        events = self._gateway.WatchJob(pb.WatchJobRequest(job_id=job_id), CALLER)
        try:
            async with asyncio.timeout(FIRST_SEGMENT_WITHIN):
                async for message in events:
                    if message.event.HasField("segment"):
                        return
        except TimeoutError:
            raise Unavailable("there is nothing to play yet", 2.0) from None
        finally:
            await events.aclose()

    async def segment(self, request: Request) -> Response:
        """A segment, or what goes in front of the first."""
        match = _SEGMENT.fullmatch(request.path_params["name"])
        if match is None:
            raise NotFound("no such segment")
        found = await self._jobs.segment(_job_id(request), int(match[2]))
        part = found.init if match[1] else found.media
        headers = {"Content-Length": str(part.size_bytes), **_FOR_EVER}
        body = nothing() if request.method == "HEAD" else metrics.sending(self._artifacts.read(part.sha256))
        return StreamingResponse(body, 200, headers, MP4)

    # ------------------------------------------------------------ cluster

    async def cluster(self, _request: Request) -> Response:
        """The cluster."""
        return answer((await self._gateway.GetCluster(pb.GetClusterRequest(), CALLER)).cluster)

    async def cluster_events(self, _request: Request) -> Response:
        """The cluster, again and again."""
        return event_stream(self._clusters(), self._stopping)

    async def _clusters(self) -> AsyncGenerator[bytes]:
        async for message in self._gateway.WatchCluster(pb.WatchClusterRequest(), CALLER):
            yield encoded("cluster", as_dict(message.cluster))

    async def engines(self, _request: Request) -> Response:
        """Engines."""
        return answer(await self._gateway.ListEngines(pb.ListEnginesRequest(), CALLER))

    async def voices(self, request: Request) -> Response:
        """Voices."""
        query = pb.ListVoicesRequest(language=request.query_params.get("language", ""))
        return answer(await self._gateway.ListVoices(query, CALLER))


@lru_cache(maxsize=256)
def _told(event: bytes) -> bytes:
    """An event as browsers read it, made once for all of them: JSON takes longer than all else."""
    message = pb.JobEvent.FromString(event)
    kind = message.WhichOneof("event") or "progress"
    return encoded(kind, as_dict(message), message.sequence)


def _job_id(request: Request) -> str:
    return str(request.path_params["id"])


def _state(name: str) -> pb.JobState.ValueType:
    if name not in pb.JobState.keys():  # noqa: SIM118 - not a mapping
        known = [name for name, value in pb.JobState.items() if value]
        raise BadInput("state", f"{name!r} is none of {', '.join(known)}")
    return pb.JobState.Value(name)


async def _upload(
    header: pb.UploadHeader, data: AsyncIterator[bytes]
) -> AsyncGenerator[pb.UploadAssetRequest]:
    yield pb.UploadAssetRequest(header=header)
    async for block in data:
        for first in range(0, len(block), MAX_BLOCK):
            yield pb.UploadAssetRequest(data=block[first : first + MAX_BLOCK])


async def _data(parts: AsyncGenerator[pb.DownloadVideoResponse]) -> AsyncGenerator[bytes]:
    async for part in parts:
        if part.data:
            yield part.data
