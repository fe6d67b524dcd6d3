"""A real Prometheus scrapes a suite of real processes, and the dashboard has something to show."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from mouthpiece.choices import QualityName
from mouthpiece.client import VideoOptions
from tests.support.monitoring_prometheus import PROMETHEUS, Prometheus, prometheus
from tests.support.running_suite import RunningSuite, start_suite

pytestmark = pytest.mark.skipif(PROMETHEUS is None, reason="prometheus is not installed")

FOLDER = Path(__file__).parents[2] / "deploy/monitoring"
OPTIONS = VideoOptions(engine="timed", width=128, height=128)
SILENT = {
    *("Calls that fail", "Attempts without a chunk", "HTTP errors"),
    *("Power", "Temperature", "Video encoder"),
}
"""Panels that are empty while nothing goes wrong and there is no GPU."""


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSuite]:
    timed = {"MOUTHPIECE_LIPSYNC_ENGINES": "timed", "MOUTHPIECE_LIPSYNC_TIMED_FRAMES_PER_SECOND": "400"}
    yield from start_suite(tmp_path_factory.mktemp("watched"), workers=1, environment=timed)


@pytest.fixture(scope="module")
def watched(suite: RunningSuite, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """Prometheus, after one job. Labels that an earlier job brought along were there before it."""
    folder = tmp_path_factory.mktemp("prometheus")
    make_video(suite, folder / "earlier.mp4", "Good evening.", quality="low")
    with prometheus(folder, metrics_ports(suite), FOLDER / "rules.yaml") as server:
        server.wait_for("up", lambda values: values == [1.0] * 4)
        server.wait_for('mouthpiece_jobs_ended_total{state="done"}', lambda values: values == [1.0])
        make_video(suite, folder / "video.mp4", "Good morning. How are you?", quality="medium")
        server.wait_for('mouthpiece_jobs_ended_total{state="done"}', lambda values: values == [2.0])
        server.wait_for("mouthpiece:lipsync_speed:ratio15m", lambda values: values != [])
        server.wait_for("sum(mouthpiece_gateway_jobs)", lambda values: values == [0.0])
        yield server


def make_video(suite: RunningSuite, output: Path, text: str, quality: QualityName) -> None:
    """No frames are shared by videos of two qualities."""
    suite.client.generate(output, text=text, options=replace(OPTIONS, quality=quality))
    gateway = next(service.plan for service in suite.suite.services if service.plan.name == "gateway")
    httpx.get(f"http://127.0.0.1:{gateway.http_port}/api/info").raise_for_status()


def metrics_ports(suite: RunningSuite) -> dict[str, int]:
    plans = [service.plan for service in suite.suite.services]
    ending = "_METRICS_PORT"
    return {
        plan.name: int(value)
        for plan in plans
        for name, value in plan.environment.items()
        if name.endswith(ending)
    }


def test_every_panel_shows_figures_after_one_job(watched: Prometheus) -> None:
    panels = json.loads((FOLDER / "dashboard.json").read_text())["panels"]
    graphs = [panel for panel in panels if "targets" in panel and panel["title"] not in SILENT]
    assert len(graphs) >= 30
    for target in (target for panel in graphs for target in panel["targets"]):
        query = target["expr"].replace("$__rate_interval", "1m")
        watched.wait_for(query, lambda values: values != [])


def test_figures_are_those_of_the_job(watched: Prometheus) -> None:
    rendered = "sum(mouthpiece_lipsync_frames_total)"
    watched.wait_for(f"sum(mouthpiece_merged_frames_total) - {rendered}", lambda values: values == [0.0])
    assert watched.ask(rendered)[0] > 20
    assert watched.ask("sum(mouthpiece_gateway_first_segment_seconds_count)") == [2.0]
    assert watched.ask("mouthpiece_gateway_workers{standing='up'}") == [1.0]
    (free,) = watched.ask("max(mouthpiece:disk_free:ratio{job='gateway'})")
    assert 0 < free < 1


def test_nothing_alarms_while_all_is_well(watched: Prometheus) -> None:
    assert watched.ask("ALERTS{alertname!~'MouthpieceDisk.*'}") == []
