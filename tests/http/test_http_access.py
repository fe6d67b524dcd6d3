"""Tokens count over HTTP as they do over gRPC; browsers keep theirs in a cookie."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from mouthpiece.keys import hash_token, new_token
from services.gateway.http.access import COOKIE
from tests.support.gateway_fakes import fake_suite
from tests.support.http_suite import client_of


@dataclass
class Guarded:
    """A client of a gateway that asks who calls, and a token that may read only."""

    client: httpx.AsyncClient
    token: str


@pytest.fixture
async def guarded(tmp_path: Path) -> AsyncGenerator[Guarded]:
    token, access = new_token("viewer"), tmp_path / "access.toml"
    key = {"name": "viewer", "tenant": "news", "sha256": hash_token(token), "scopes": ["read"]}
    lines = [f"{name} = {json.dumps(value)}" for name, value in key.items()]
    access.write_text("\n".join(["[tenants.news]", "[[keys]]", *lines]))
    async with fake_suite(tmp_path / "data", access=access) as suite, client_of(suite) as client:
        yield Guarded(client, token)


async def test_nothing_but_the_page_and_health_is_open(guarded: Guarded) -> None:
    for path in ("/", "/openapi.json", "/api/health"):
        assert (await guarded.client.get(path)).status_code == 200
    for path in ("/api/jobs", "/api/info", "/api/events/j1", "/api/stream/j1/index.m3u8", "/api/download/j1"):
        assert (await guarded.client.get(path)).status_code == 401
    assert (await guarded.client.post("/generate_video", json={"message": "Hi."})).status_code == 401


@pytest.mark.parametrize("scheme", ["bearer", "key", "cookie"])
async def test_a_token_opens_what_its_scopes_say(guarded: Guarded, scheme: str) -> None:
    headers = {
        "bearer": {"Authorization": f"Bearer {guarded.token}"},
        "key": {"X-API-Key": guarded.token},
        "cookie": {"Cookie": f"{COOKIE}={guarded.token}"},
    }[scheme]
    assert (await guarded.client.get("/api/jobs", headers=headers)).status_code == 200
    for path in ("/api/jobs", "/generate_video", "/api/plan", "/api/assets"):
        refused = await guarded.client.post(path, json={"text": "Hi."}, headers=headers)
        assert (refused.status_code, refused.json()["error"]["status"]) == (403, "PERMISSION_DENIED")


async def test_a_browser_begins_and_ends_a_session(guarded: Guarded) -> None:
    assert (await guarded.client.get("/api/session")).status_code == 401
    assert (await guarded.client.post("/api/session", json={"token": "guess"})).status_code == 401
    begun = await guarded.client.post("/api/session", json={"token": guarded.token})
    assert begun.json() == {"token_needed": True, "name": "viewer", "tenant": "news", "scopes": ["read"]}
    cookie = begun.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert (await guarded.client.get("/api/jobs")).status_code == 200  # the client sends the cookie back
    await guarded.client.delete("/api/session")
    assert (await guarded.client.get("/api/jobs")).status_code == 401


async def test_a_gateway_that_does_not_ask_says_so(tmp_path: Path) -> None:
    async with fake_suite(tmp_path) as suite, client_of(suite) as client:
        shown = (await client.get("/api/session")).json()
        assert (shown["token_needed"], shown["scopes"]) == (False, ["admin", "read", "write"])


async def test_a_gateway_that_asks_for_tokens_answers_to_any_name(guarded: Guarded) -> None:
    headers = {"Host": "video.example", "Authorization": f"Bearer {guarded.token}"}
    assert (await guarded.client.get("/api/jobs", headers=headers)).status_code == 200
