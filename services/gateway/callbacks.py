"""Telling others that a job has ended: signed, tried again for a while, and only where that is allowed.

Whom to tell is stored with the end of the job, so that a restart forgets nobody. Somebody may be told twice;
the `Mouthpiece-Job` header tells of which job.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import logging
import socket
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from ipaddress import ip_address
from urllib.parse import SplitResult, quote, urlsplit

import certifi
import h11
from google.protobuf import json_format
from pydantic import SecretStr

from mouthpiece.errors import BadInput
from mouthpiece.rpc.tracing import JobTrace
from mouthpiece.v1.gateway_pb2 import Callback, Job, JobSpec
from services.gateway.store import JobStore

log = logging.getLogger(__name__)

MOST_TRIES = 9
FIRST_WAIT = 2.0
"""Seconds to the second try; each further wait is twice as long: 2, 4, … 256, about nine minutes in all."""

AT_ONCE = 16
_LOOK_EVERY = 1.0
_ANSWER_WITHIN = 10.0
_LONGEST_URL = 2000
_BLOCK = 1 << 16
_UNQUOTED = "/%:@!$&'()*+,;=?"
"""What stays as it is in the path and the query of an address."""


class Reach(StrEnum):
    """Where callbacks may go: nowhere, to public addresses, or anywhere."""

    OFF = "off"
    PUBLIC = "public"
    ANY = "any"


@dataclass(frozen=True, slots=True)
class CallbackPolicy:
    """What the operator allows, and the secrets that callbacks are signed with, by name."""

    reach: Reach
    secrets: Mapping[str, SecretStr]

    def check(self, spec: JobSpec) -> None:
        """Raise `BadInput` unless the callback of a spec is one that may be made."""
        if not spec.HasField("callback"):
            return
        if self.reach is Reach.OFF:
            raise BadInput("spec.callback", "callbacks are switched off at this gateway")
        if not _is_plain(spec.callback.url):
            raise BadInput("spec.callback.url", "is not an http or https address without a user")
        if spec.callback.secret and spec.callback.secret not in self.secrets:
            raise BadInput("spec.callback.secret", f"there is no secret {spec.callback.secret!r}")

    def signature(self, callback: Callback, body: bytes, now: int) -> str:
        """The signature of a body at a moment (seconds since 1970); empty without a secret."""
        secret = self.secrets.get(callback.secret)
        if secret is None:
            return ""
        signed = f"{now}.".encode() + body
        return (
            f"t={now},v1={hmac.new(secret.get_secret_value().encode(), signed, hashlib.sha256).hexdigest()}"
        )


def wait_after(tries: int) -> float:
    """Seconds to the next try after so many."""
    return FIRST_WAIT * 2.0 ** (tries - 1)


class Callbacks:
    """Makes the calls that are due."""

    def __init__(self, store: JobStore, policy: CallbackPolicy) -> None:
        self._store = store
        self._policy = policy

    async def run(self) -> None:
        """Look every second for calls that are due, until cancelled."""
        while self._policy.reach is not Reach.OFF:
            await self.call_due(time.time())
            await asyncio.sleep(_LOOK_EVERY)

    async def call_due(self, now: float) -> None:
        """Make the calls that are due at a moment, and decide on those that failed."""
        due = await self._store.due_callbacks(now, AT_ONCE)
        await asyncio.gather(*(self._call(job_id, tries + 1, now) for job_id, tries in due))

    async def _call(self, job_id: str, tries: int, now: float) -> None:
        job, trace = await self._store.job(job_id), await self._store.trace(job_id)
        problem = await self._send(job, trace, int(now)) if job is not None else ""
        if problem and tries < MOST_TRIES:
            await self._store.put_callback(job_id, now + wait_after(tries), tries)
            return
        if problem:
            log.warning("job %s: its callback is given up: %s", job_id, problem)
        await self._store.drop_callback(job_id)

    async def _send(self, job: Job, trace: JobTrace, now: int) -> str:
        """Make one call. Returns what went wrong, empty when nothing did."""
        body = _body(job)
        headers = {
            **trace.headers(),
            "Content-Type": "application/json",
            "Mouthpiece-Event": "job.ended",
            "Mouthpiece-Job": job.id,
        }
        if signature := self._policy.signature(job.spec.callback, body, now):
            headers["Mouthpiece-Signature"] = signature
        try:
            async with asyncio.timeout(_ANSWER_WITHIN):
                status = await _post(urlsplit(job.spec.callback.url), body, headers, self._policy.reach)
        except TimeoutError:
            return f"no answer within {_ANSWER_WITHIN:g} s"
        except (OSError, UnicodeError, h11.ProtocolError) as error:
            return str(error) or type(error).__name__
        return "" if 200 <= status < 300 else f"answered {status}"


def _body(job: Job) -> bytes:
    content = json_format.MessageToDict(job, preserving_proto_field_name=True)
    return json.dumps(content, separators=(",", ":")).encode()


def _is_plain(url: str) -> bool:
    try:
        parts = urlsplit(url)
        named = bool(_host(parts)) and parts.username is None and parts.port != 0
    except ValueError:  # also a host that is none in DNS
        return False
    return named and parts.scheme in {"http", "https"} and len(url) <= _LONGEST_URL and url.isprintable()


async def _post(url: SplitResult, body: bytes, headers: Mapping[str, str], reach: Reach) -> int:
    """The status of the answer. The address that was checked is the one that is called; redirections are not
    followed."""
    host, secure = _host(url), url.scheme == "https"
    port = url.port or (443 if secure else 80)
    address = await _address(host, port, reach)
    reader, writer = await asyncio.open_connection(
        address, port, ssl=_tls() if secure else None, server_hostname=host if secure else None
    )
    try:
        call = h11.Connection(h11.CLIENT)
        own = {"Host": _named(host, url.port), "Content-Length": str(len(body)), "Connection": "close"}
        request = h11.Request(method="POST", target=_target(url), headers=[*{**own, **headers}.items()])
        for event in (request, h11.Data(body), h11.EndOfMessage()):
            writer.write(call.send(event) or b"")
        await writer.drain()
        while not isinstance(answer := call.next_event(), h11.Response):
            if answer is h11.NEED_DATA:
                call.receive_data(await reader.read(_BLOCK))
        return answer.status_code
    finally:
        writer.close()


def _host(url: SplitResult) -> str:
    """The host as DNS and certificates have it. Raises `UnicodeError` for what can be none."""
    return (url.hostname or "").encode("idna").decode()


def _named(host: str, port: int | None) -> str:
    name = f"[{host}]" if ":" in host else host
    return f"{name}:{port}" if port else name


def _target(url: SplitResult) -> str:
    query = f"?{url.query}" if url.query else ""
    return quote((url.path or "/") + query, safe=_UNQUOTED)


@cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context(cafile=certifi.where())


async def _address(host: str, port: int, reach: Reach) -> str:
    told = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    found = sorted({str(info[4][0]) for info in told})
    if reach is Reach.PUBLIC and not all(ip_address(each).is_global for each in found):
        raise PermissionError(f"{host} is not a public address")
    return found[0]
