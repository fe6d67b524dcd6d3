"""hls.js, the player that many pages use, in front of a running job. It is not part of this repository."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import av
import pytest
from playwright.sync_api import Page, Route, sync_playwright

from mouthpiece.v1.gateway_pb2 import JOB_STATE_DONE, JobSpec
from tests.support.running_suite import RunningSuite, start_suite

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
VARIABLE = "MOUTHPIECE_TEST_HLS_JS"
HLS_JS = Path(os.environ.get(VARIABLE, "node_modules/hls.js/dist/hls.min.js"))
pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed"),
    pytest.mark.skipif(not HLS_JS.is_file(), reason=f"no hls.js: {VARIABLE} names its hls.min.js"),
]

TEXT = (
    "This picture speaks while it is still being made. Every worker renders its own part of the film. "
    "Nobody can see where it was cut. When one of them fails, another one takes its part."
)
WITHIN = 120_000

PAGE = (
    "<!doctype html><video id=video muted></video>"
    "<script src=/hls.js></script><script src=/player.js></script>"
)
PLAYER = """
const video = document.getElementById("video");
window.seen = { errors: [], ended: false };
const hls = new Hls();
hls.on(Hls.Events.ERROR, (_, data) => window.seen.errors.push(data.details));
video.addEventListener("ended", () => (window.seen.ended = true));
hls.loadSource(new URLSearchParams(location.search).get("playlist"));
hls.attachMedia(video);
video.play();
"""
SEEN = """() => {
  const spans = (ranges) => [...Array(ranges.length).keys()].map((n) => [ranges.start(n), ranges.end(n)]);
  const quality = video.getVideoPlaybackQuality();
  return { ...window.seen, at: video.currentTime, duration: video.duration, buffered: spans(video.buffered),
           frames: quality.totalVideoFrames, heard: video.webkitAudioDecodedByteCount };
}"""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSuite]:
    environment = {"MOUTHPIECE_LIPSYNC_ENGINES": "timed", "MOUTHPIECE_LIPSYNC_TIMED_FRAMES_PER_SECOND": "15"}
    yield from start_suite(tmp_path_factory.mktemp("hls"), environment=environment)


@pytest.fixture
def page(running: RunningSuite) -> Iterator[Page]:
    """A page on the gateway's own origin, with nothing but a video and hls.js."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--autoplay-policy=no-user-gesture-required"]
        )
        page = browser.new_page()
        page.route("**/*", _answer)
        yield page
        browser.close()


def _answer(route: Route) -> None:
    bodies = {"/test": (PAGE, "text/html"), "/player.js": (PLAYER, "text/javascript")}
    path = urlsplit(route.request.url).path
    if path == "/hls.js":
        route.fulfill(path=HLS_JS, content_type="text/javascript")
    elif path in bodies:
        body, kind = bodies[path]
        route.fulfill(body=body, content_type=kind)
    else:
        route.continue_()


def seen(page: Page) -> dict[str, Any]:
    found = page.evaluate(SEEN)
    assert isinstance(found, dict)
    return found


def test_hls_js_plays_every_frame_of_a_job_that_is_still_running(
    page: Page, running: RunningSuite, tmp_path: Path
) -> None:
    job = submitted(running)
    play(page, running, job)
    page.wait_for_function("() => video.currentTime > 1", timeout=WITHIN)
    assert running.client.get_job(job).state != JOB_STATE_DONE
    check_the_end(page, running, job, tmp_path)
    waited = {"bufferStalledError", "bufferNudgeOnStall"}
    assert set(seen(page)["errors"]) <= waited, "nothing but waiting for what is not rendered yet"


def test_hls_js_plays_a_finished_job_without_a_halt(
    page: Page, running: RunningSuite, tmp_path: Path
) -> None:
    job = submitted(running)
    for _ in running.client.watch(job):
        pass
    play(page, running, job)
    check_the_end(page, running, job, tmp_path)
    assert seen(page)["errors"] == []


def submitted(running: RunningSuite) -> str:
    return running.client.submit(JobSpec(text=TEXT, engine="timed", width=160, height=120)).id


def play(page: Page, running: RunningSuite, job: str) -> None:
    page.goto(f"{running.suite.http_url}/test?playlist=/api/stream/{job}/index.m3u8")


def check_the_end(page: Page, running: RunningSuite, job: str, folder: Path) -> None:
    """Every frame of the MP4 was decoded, and pictures and sound lie in one stretch without a gap."""
    page.wait_for_function("() => window.seen.ended", timeout=WITHIN)
    played = seen(page)
    movie = folder / "movie.mp4"
    running.client.download(job, movie)
    with av.open(str(movie)) as container:
        frames = sum(1 for _ in container.decode(video=0))
    assert played["frames"] == frames
    assert played["buffered"] == [[0, pytest.approx(frames / 25, abs=0.05)]]
    assert played["at"] == pytest.approx(frames / 25, abs=0.05)
    assert played["heard"] > 0
