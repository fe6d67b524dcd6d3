"""A gateway that asks for no tokens answers only to names of its own."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from mouthpiece.errors import BadInput
from services.gateway.http.hosts import Hosts
from tests.support.gateway_fakes import FakeSuite, fake_suite
from tests.support.http_suite import client_of


async def answers(suite: FakeSuite, host: str, path: str = "/api/jobs") -> httpx.Response:
    async with client_of(suite) as client:
        return await client.get(path, headers={"Host": host})


async def test_an_open_gateway_answers_to_no_name_that_a_foreign_site_made_lead_here(tmp_path: Path) -> None:
    async with fake_suite(tmp_path, allowed_hosts="video.example.org, studio") as suite:
        for host in ("evil.example", "evil.example:8080", "localhost.evil.example", "127.0.0.1.evil.example"):
            refused = await answers(suite, host)
            assert refused.status_code == 400
            assert "MOUTHPIECE_GATEWAY_ALLOWED_HOSTS" in refused.json()["error"]["message"]
        for host in (
            "localhost",
            "me.localhost:80",
            "127.1.2.3:8080",
            "[::1]:8080",
            "Video.example.org",
            "studio",
        ):
            assert (await answers(suite, host)).status_code == 200, host
        for path in ("/", "/openapi.json", "/api/health"):
            assert (await answers(suite, "evil.example", path)).status_code == 200


async def test_a_star_allows_all_names(tmp_path: Path) -> None:
    async with fake_suite(tmp_path, allowed_hosts="*") as suite:
        assert (await answers(suite, "evil.example")).status_code == 200


@pytest.mark.parametrize("host", ["", "[", "[::1", "localhost@evil.example", "2130706433x"])
def test_a_host_that_is_none_is_refused(host: str) -> None:
    with pytest.raises(BadInput, match="ALLOWED_HOSTS"):
        Hosts.of("", "127.0.0.1").check(host)
