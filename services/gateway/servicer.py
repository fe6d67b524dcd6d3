"""VideoService: messages in, messages out; the work is done elsewhere."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import grpc.aio
from grpc.aio import ServicerContext

from mouthpiece.artifacts import Artifact, ArtifactStore
from mouthpiece.core.scheduler import Scheduler, Tuning
from mouthpiece.errors import BadInput
from mouthpiece.rpc.channel import dial
from mouthpiece.rpc.convert import artifact_to_proto, engine_to_proto
from mouthpiece.rpc.status import from_rpc_error
from mouthpiece.settings import CommonSettings, GatewaySettings
from mouthpiece.v1 import gateway_pb2 as pb
from mouthpiece.v1.gateway_pb2_grpc import VideoServiceServicer
from mouthpiece.v1.merger_pb2_grpc import MergerServiceStub
from mouthpiece.v1.tts_pb2 import SpeechServiceListVoicesRequest, SpeechServiceNormalizeTextRequest
from mouthpiece.v1.tts_pb2_grpc import SpeechServiceStub
from services.gateway.access import Guard
from services.gateway.admission import Admission
from services.gateway.callbacks import CallbackPolicy, Callbacks, Reach
from services.gateway.chunks import Chunks
from services.gateway.cluster import describe
from services.gateway.director import Director
from services.gateway.discovery import read_directory
from services.gateway.fleet import Fleet
from services.gateway.house import HouseRules
from services.gateway.http.front import HttpFront
from services.gateway.http.hosts import Hosts
from services.gateway.jobs import Jobs
from services.gateway.lease import Lease
from services.gateway.ledger import Ledger
from services.gateway.merging import Merging
from services.gateway.rendering import Renderer
from services.gateway.retention import Policy, Retention
from services.gateway.room import Room
from services.gateway.seat import Seat
from services.gateway.speaking import Speaker
from services.gateway.speech import SpeechLibrary
from services.gateway.store import JobStore
from services.gateway.upgrading import Upgrading
from services.gateway.uploads import Uploads
from services.gateway.watching import Watching

Context = ServicerContext[Any, Any]

SHOW_CLUSTER_EVERY = 0.5
VOICES_WITHIN = 10.0
NORMALIZED_WITHIN = 30.0


class VideoServicer(VideoServiceServicer):
    """The gateway. `load` builds it from its settings, `close` takes it down."""

    def __init__(self, common: CommonSettings, settings: GatewaySettings, guard: Guard) -> None:
        self._common = common
        self._settings = settings
        self._guard = guard
        self._house = HouseRules.of(settings)
        self._open = AsyncExitStack()

    # ------------------------------------------------------------ life

    async def load(self) -> None:
        """Open the store, look at every worker; take up unfinished jobs, unless another gateway leads."""
        common, settings = self._common, self._settings
        await asyncio.to_thread(self._guard.load)
        self._open.push_async_callback(_stop, asyncio.create_task(self._guard.keep_fresh()))
        common.data.mkdir(parents=True, exist_ok=True)
        artifacts = ArtifactStore.open(common.artifacts_url)
        store = await JobStore.open(settings.database or _sqlite_url(common))
        self._open.push_async_callback(store.close)
        self._speech = SpeechServiceStub(await self._channel(settings.tts))
        self._merger = MergerServiceStub(await self._channel(settings.merger))
        self._artifacts = artifacts
        self._watching = Watching(store)
        self._ledger = Ledger(store)
        lease = Lease(store.engine, _own_name()) if store.shared else None
        self._seat = Seat(store, lease, self._appoint, self._watching)
        self._fleet = Fleet(read_directory(settings.workers), self._seat.tell, common.tls)
        await self._open.enter_async_context(self._fleet)
        await self._open.enter_async_context(self._seat)
        policy = _callback_policy(settings)
        admission = Admission(
            artifacts, store, self._fleet, self._speech, settings.max_text, policy, self._house
        )
        folders = (common.data, artifacts.folder) if artifacts.folder else (common.data,)
        room = Room(folders, settings.min_free_bytes)
        self._jobs = Jobs(
            admission, self._fleet, self._seat, store, artifacts, self._watching, self._guard.tenant, room
        )
        self._uploads = Uploads(common.data / "uploads", artifacts, store, settings.max_upload_bytes, room)
        self._open.push_async_callback(_stop, asyncio.create_task(self._uploads.run()))
        hosts = Hosts.of(settings.allowed_hosts, common.host)
        self.http = HttpFront(self, self._jobs, self._uploads, artifacts, settings, self._guard, hosts)
        await self._open.enter_async_context(self.http.serving(common))

    def _appoint(self, store: JobStore) -> Director:
        """A director for a term, told of every worker there is."""
        settings, artifacts = self._settings, self._artifacts
        library, chunks = SpeechLibrary(artifacts), Chunks(artifacts)
        tuning = Tuning(queue_jobs=settings.max_jobs, most_stuck=settings.engine_patience_seconds)
        scheduler, absence = Scheduler(tuning), self._fleet.absence
        director = Director(scheduler, store, self._watching, chunks, self._guard.tenant, absence)
        tell = director.tell
        director.equip(
            Speaker(self._speech, library, chunks, tell),
            Renderer(self._fleet, library, chunks, tell),
            Merging(self._merger, library, chunks, director.take_back),
        )
        for offer in self._fleet.offers():
            tell(self._seat.outlook.remind(offer))
        retention = Retention(store, artifacts, Policy(settings.keep_days, settings.cache_bytes))
        director.accompany(retention.run())
        director.accompany(Upgrading(self._fleet, director, settings.version_patience_seconds).run())
        director.accompany(Callbacks(store, _callback_policy(settings)).run())
        return director

    async def _channel(self, address: str) -> grpc.aio.Channel:
        return await self._open.enter_async_context(dial(address, self._common.tls))

    async def drain(self) -> None:
        """Send watchers away, let running chunks end."""
        self.http.drain()
        self._watching.close()
        await self._seat.drain()

    async def close(self) -> None:
        """Take everything down; the store knows enough to go on."""
        await self._open.aclose()

    # ------------------------------------------------------------ assets

    async def UploadAsset(
        self, request_iterator: AsyncIterator[pb.UploadAssetRequest], context: Context
    ) -> pb.UploadAssetResponse:
        """Store a file."""
        first = await anext(aiter(request_iterator), None)
        if first is None or not first.HasField("header"):
            raise BadInput("header", "must be sent first")
        header = first.header
        announced = Artifact(header.sha256, header.size_bytes)
        asset = await self._uploads.receive(announced, header.offset, _blocks(request_iterator))
        return pb.UploadAssetResponse(asset=artifact_to_proto(asset))

    async def QueryUpload(self, request: pb.QueryUploadRequest, context: Context) -> pb.QueryUploadResponse:
        """How much of an upload arrived."""
        offset, complete = await self._uploads.offset(request.sha256)
        return pb.QueryUploadResponse(offset=offset, complete=complete)

    # ------------------------------------------------------------ jobs

    async def SubmitJob(self, request: pb.SubmitJobRequest, context: Context) -> pb.SubmitJobResponse:
        """Accept a job."""
        return pb.SubmitJobResponse(job=await self._jobs.submit(request.spec, request.request_id))

    async def WatchJob(
        self, request: pb.WatchJobRequest, context: Context
    ) -> AsyncGenerator[pb.WatchJobResponse]:
        """Stream events."""
        async for event in self._jobs.watch(request.job_id, request.from_sequence):
            yield pb.WatchJobResponse(event=event)

    async def GenerateVideo(
        self, request: pb.GenerateVideoRequest, context: Context
    ) -> AsyncGenerator[pb.GenerateVideoResponse]:
        """Accept a job and stream its events."""
        job = await self._jobs.submit(request.spec, request.request_id)
        async for event in self._jobs.watch(job.id, 1):
            yield pb.GenerateVideoResponse(event=event)

    async def GetJob(self, request: pb.GetJobRequest, context: Context) -> pb.GetJobResponse:
        """A job."""
        return pb.GetJobResponse(job=await self._jobs.get(request.job_id))

    async def ListJobs(self, request: pb.ListJobsRequest, context: Context) -> pb.ListJobsResponse:
        """Jobs, newest first."""
        jobs, token = await self._jobs.page(request.page_size, request.page_token, list(request.states))
        return pb.ListJobsResponse(jobs=jobs, next_page_token=token)

    async def CancelJob(self, request: pb.CancelJobRequest, context: Context) -> pb.CancelJobResponse:
        """Stop a job."""
        return pb.CancelJobResponse(job=await self._jobs.cancel(request.job_id))

    async def DeleteJob(self, request: pb.DeleteJobRequest, context: Context) -> pb.DeleteJobResponse:
        """Forget a job."""
        await self._jobs.delete(request.job_id)
        return pb.DeleteJobResponse()

    async def DownloadVideo(
        self, request: pb.DownloadVideoRequest, context: Context
    ) -> AsyncGenerator[pb.DownloadVideoResponse]:
        """Stream the result."""
        if request.follow and (request.offset or request.length):
            raise BadInput("follow", "goes without a range")
        parts = (
            self._jobs.follow(request.job_id)
            if request.follow
            else self._jobs.download(request.job_id, request.offset, request.length, request.file)
        )
        async for part in parts:
            yield part

    async def PlanJob(self, request: pb.PlanJobRequest, context: Context) -> pb.PlanJobResponse:
        """What SubmitJob would do."""
        return await self._jobs.plan(request.spec)

    # ------------------------------------------------------------ cluster

    async def GetCluster(self, request: pb.GetClusterRequest, context: Context) -> pb.GetClusterResponse:
        """Workers and queue."""
        return pb.GetClusterResponse(cluster=await self._cluster())

    async def _cluster(self) -> pb.Cluster:
        cluster = describe(self._fleet, self._seat.outlook)
        cluster.statistics.extend(await self._ledger.statistics())
        return cluster

    async def WatchCluster(
        self, request: pb.WatchClusterRequest, context: Context
    ) -> AsyncGenerator[pb.WatchClusterResponse]:
        """Workers and queue, whenever they change."""
        shown: pb.Cluster | None = None
        while True:
            cluster = await self._cluster()
            if cluster != shown:
                shown = cluster
                yield pb.WatchClusterResponse(cluster=cluster)
            await asyncio.sleep(SHOW_CLUSTER_EVERY)

    async def NormalizeText(
        self, request: pb.NormalizeTextRequest, context: Context
    ) -> pb.NormalizeTextResponse:
        """What the speech service would say."""
        inner = SpeechServiceNormalizeTextRequest(
            text=request.text,
            language=request.language,
            markup=request.markup,
            pronunciations=request.pronunciations,
        )
        try:
            found = await self._speech.NormalizeText(inner, timeout=NORMALIZED_WITHIN)
        except grpc.aio.AioRpcError as error:
            raise from_rpc_error(error) from None
        return pb.NormalizeTextResponse(normalized=found.normalized)

    async def ListVoices(self, request: pb.ListVoicesRequest, context: Context) -> pb.ListVoicesResponse:
        """Voices of the speech service."""
        inner = SpeechServiceListVoicesRequest(language=request.language)
        try:
            found = await self._speech.ListVoices(inner, timeout=VOICES_WITHIN)
        except grpc.aio.AioRpcError as error:
            raise from_rpc_error(error) from None
        return pb.ListVoicesResponse(voices=found.voices)

    async def ListEngines(self, request: pb.ListEnginesRequest, context: Context) -> pb.ListEnginesResponse:
        """Engines of live workers."""
        engines = self._fleet.engines()
        return pb.ListEnginesResponse(engines=[engine_to_proto(engines[name]) for name in sorted(engines)])


async def _blocks(requests: AsyncIterator[pb.UploadAssetRequest]) -> AsyncGenerator[bytes]:
    async for request in requests:
        if request.HasField("header"):
            raise BadInput("header", "must be sent once")
        yield request.data


async def _stop(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def _own_name() -> str:
    return f"{socket.gethostname()[:48]}:{os.getpid()}"


def _callback_policy(settings: GatewaySettings) -> CallbackPolicy:
    return CallbackPolicy(Reach(settings.callbacks), settings.callback_secrets)


def _sqlite_url(common: CommonSettings) -> str:
    return f"sqlite+aiosqlite:///{(common.data / 'mouthpiece.db').absolute()}"
