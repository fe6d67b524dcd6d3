"""Whoever asked is told when a job ends: signed, again for a while, and only where it is allowed."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mouthpiece.errors import BadInput
from mouthpiece.v1.gateway_pb2 import Callback, JobEvent, JobSpec
from services.gateway.callbacks import MOST_TRIES, CallbackPolicy, Callbacks, Reach, wait_after
from services.gateway.http.server import serving_http
from services.gateway.store import JobStore
from tests.support.gateway_fakes import FakeSuite, fake_suite
from tests.support.http_suite import client_of, ended, submitted

SECRETS = {"ci": "hush"}


@dataclass
class Listener:
    """Somebody who is told; answers with `status`."""

    status: int = 200
    url: str = ""
    told: asyncio.Queue[tuple[dict[str, str], bytes]] = field(default_factory=asyncio.Queue)

    async def hear(self, request: Request) -> Response:
        self.told.put_nowait((dict(request.headers), await request.body()))
        return Response(status_code=self.status, headers={"Location": "/elsewhere"})

    async def next(self) -> tuple[dict[str, str], bytes]:
        async with asyncio.timeout(20):
            return await self.told.get()


@asynccontextmanager
async def listening() -> AsyncGenerator[Listener]:
    listener = Listener()
    app = Starlette(routes=[Route("/{path:path}", listener.hear, methods=["POST"])])
    async with serving_http(app, "127.0.0.1", 0) as server:
        listener.url = f"http://127.0.0.1:{server.port}/hook?a=1"
        yield listener


def callback(listener: Listener) -> dict[str, Any]:
    return {"callback": {"url": listener.url, "secret": "ci"}}


async def test_whoever_asked_is_told_with_a_signature(tmp_path: Path) -> None:
    async with (
        listening() as listener,
        fake_suite(tmp_path, callbacks="any", callback_secrets=SECRETS) as suite,
    ):
        async with client_of(suite) as client:
            job = await submitted(client, "One.", **callback(listener))
            headers, body = await listener.next()
        assert (headers["mouthpiece-event"], headers["mouthpiece-job"]) == ("job.ended", job)
        assert json.loads(body)["state"] == "JOB_STATE_DONE"
        moment, signature = (part.split("=")[1] for part in headers["mouthpiece-signature"].split(","))
        assert abs(int(moment) - time.time()) < 60
        signed = moment.encode() + b"." + body
        assert signature == hmac.new(b"hush", signed, hashlib.sha256).hexdigest()


async def test_a_gateway_that_was_restarted_tries_again(tmp_path: Path) -> None:
    async with listening() as listener, fake_suite(tmp_path, callbacks="any") as suite:
        listener.status = 503
        async with client_of(suite) as client:
            job = await submitted(client, "One.", callback={"url": listener.url})
            first, _ = await listener.next()
        await suite.restart_gateway()
        again, _ = await listener.next()
        assert first["mouthpiece-job"] == again["mouthpiece-job"] == job
        assert "mouthpiece-signature" not in again


@pytest.mark.parametrize("status", [302, 404, 500])
async def test_what_is_not_taken_is_tried_again_ever_later_and_then_given_up(
    tmp_path: Path, status: int
) -> None:
    async with listening() as listener, fake_suite(tmp_path) as suite:
        listener.status = status
        store = await JobStore.open(f"sqlite+aiosqlite:///{tmp_path / 'mouthpiece.db'}")
        await ended_job(suite, store, listener)
        callbacks = Callbacks(store, CallbackPolicy(Reach.ANY, {}))
        now = time.time() + 1
        for tries in range(1, MOST_TRIES + 1):
            await callbacks.call_due(now)
            assert listener.told.qsize() == tries
            await callbacks.call_due(now + wait_after(tries) - 0.1)
            assert listener.told.qsize() == tries
            now += wait_after(tries)
        assert await store.due_callbacks(now * 2, 10) == []
        await store.close()


async def test_a_callback_that_cannot_be_made_does_not_keep_others_from_being_made(tmp_path: Path) -> None:
    async with listening() as listener, fake_suite(tmp_path) as suite:
        store = await JobStore.open(f"sqlite+aiosqlite:///{tmp_path / 'mouthpiece.db'}")
        await ended_job(suite, store, Listener(url="http://a..b/"))
        await suite.start_gateway()
        await ended_job(suite, store, listener)
        await Callbacks(store, CallbackPolicy(Reach.ANY, {})).call_due(time.time() + 1)
        assert listener.told.qsize() == 1
        assert len(await store.due_callbacks(time.time() + 60, 10)) == 1
        await store.close()


async def test_an_answer_that_only_trickles_in_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hung_up = asyncio.Event()

    async def trickle(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
        with suppress(ConnectionError):
            while True:
                writer.write(b"x")
                await writer.drain()
                await asyncio.sleep(0.02)
        writer.close()
        hung_up.set()

    monkeypatch.setattr("services.gateway.callbacks._ANSWER_WITHIN", 0.3)
    async with fake_suite(tmp_path) as suite, await asyncio.start_server(trickle, "127.0.0.1") as server:
        port = server.sockets[0].getsockname()[1]
        store = await JobStore.open(f"sqlite+aiosqlite:///{tmp_path / 'mouthpiece.db'}")
        await ended_job(suite, store, Listener(url=f"http://127.0.0.1:{port}/"))
        async with asyncio.timeout(30):
            await Callbacks(store, CallbackPolicy(Reach.ANY, {})).call_due(time.time() + 1)
            await hung_up.wait()
        assert [tries for _, tries in await store.due_callbacks(time.time() + 60, 10)] == [1]
        await store.close()


async def ended_job(suite: FakeSuite, store: JobStore, listener: Listener) -> None:
    """A job whose end somebody is to be told of, at a gateway that does not do so itself."""
    async with client_of(suite) as client:
        job_id = await submitted(client, "One.")
        await ended(client, job_id)
    job = await store.job(job_id)
    assert job is not None
    job.spec.callback.url = listener.url
    await suite.stop_gateway()
    await store.record(job, JobEvent(state=job, sequence=job.last_sequence + 1, job_id=job_id))


@pytest.mark.parametrize(
    ("reach", "url", "secret", "field"),
    [
        (Reach.OFF, "https://example.org/", "", "spec.callback"),
        (Reach.ANY, "ftp://example.org/", "", "spec.callback.url"),
        (Reach.ANY, "https://user:pass@example.org/", "", "spec.callback.url"),
        (Reach.ANY, "https:///path", "", "spec.callback.url"),
        (Reach.ANY, "https://a..b/", "", "spec.callback.url"),
        (Reach.ANY, "https://example.org:99999/", "", "spec.callback.url"),
        (Reach.ANY, "https://example.org/\r\nX: y", "", "spec.callback.url"),
        (Reach.ANY, "https://example.org/" + "x" * 2000, "", "spec.callback.url"),
        (Reach.ANY, "https://example.org/", "nobody's", "spec.callback.secret"),
    ],
)
def test_callbacks_that_may_not_be_are_refused(reach: Reach, url: str, secret: str, field: str) -> None:
    policy = CallbackPolicy(reach, {"ci": SecretStr("hush")})
    with pytest.raises(BadInput) as caught:
        policy.check(JobSpec(callback=Callback(url=url, secret=secret)))
    assert caught.value.violations[0].field == field


async def test_local_addresses_are_not_called_where_only_public_ones_may_be(tmp_path: Path) -> None:
    async with listening() as listener, fake_suite(tmp_path) as suite:
        store = await JobStore.open(f"sqlite+aiosqlite:///{tmp_path / 'mouthpiece.db'}")
        await ended_job(suite, store, listener)
        await Callbacks(store, CallbackPolicy(Reach.PUBLIC, {})).call_due(time.time() + 1)
        assert listener.told.empty()
        assert len(await store.due_callbacks(time.time() + 60, 10)) == 1
        await store.close()


def test_waits_add_up_to_about_ten_minutes() -> None:
    assert [wait_after(tries) for tries in range(1, MOST_TRIES)] == [2, 4, 8, 16, 32, 64, 128, 256]
