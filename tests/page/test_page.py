"""The page in a real browser, in front of a real suite whose engine takes its time."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from tests.support.faces import portrait_file
from tests.support.running_suite import RunningSuite, start_suite

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")

TEXT = (
    "This picture speaks while it is still being made. Every worker renders its own part of the film. "
    "Nobody can see where it was cut. When one of them fails, another one takes its part."
)
LONGER = " ".join([TEXT] * 2)
WITHIN = 90_000


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSuite]:
    environment = {"MOUTHPIECE_LIPSYNC_ENGINES": "timed", "MOUTHPIECE_LIPSYNC_TIMED_FRAMES_PER_SECOND": "30"}
    yield from start_suite(tmp_path_factory.mktemp("page"), environment=environment)


@pytest.fixture(scope="module")
def face(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return portrait_file(tmp_path_factory.mktemp("face") / "face.png", 256)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--autoplay-policy=no-user-gesture-required"]
        )
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Any, running: RunningSuite) -> Iterator[Page]:
    context = browser.new_context(accept_downloads=True)
    page: Page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(running.suite.http_url)
    expect(page.locator("#pulse")).to_contain_text("2 workers", timeout=WITHIN)
    expect(page.locator("#engine option")).not_to_have_count(0, timeout=WITHIN)
    yield page
    context.close()
    assert errors == []


def submit(page: Page, face: Path, text: str) -> str:
    """Fill the form and send it; the job's id."""
    page.set_input_files("#face", face)
    page.fill("#text", text)
    page.select_option("#engine", "timed") if page.locator("#engine").is_visible() else None
    expect(page.locator("#plan")).to_contain_text("playing after", timeout=WITHIN)
    page.click("#submit")
    page.wait_for_url("**/#job=*", timeout=WITHIN)
    return page.url.partition("#job=")[2]


def wait_until_done(page: Page) -> None:
    expect(page.locator("#figures")).to_contain_text("made in", timeout=WITHIN)


def test_a_video_plays_while_it_is_still_being_rendered_and_can_be_fetched(
    page: Page, running: RunningSuite, face: Path, tmp_path: Path
) -> None:
    job = submit(page, face, LONGER)
    # Told by the page itself: by the time that an answer is here, a busy machine may have rendered the rest.
    stage = page.wait_for_function(
        "() => document.getElementById('video').currentTime > 1"
        " && document.querySelector('#stages .now')?.textContent",
        timeout=WITHIN,
    )
    assert stage.json_value() in {"Speaking", "Rendering"}
    expect(page.locator("#film .chunk").first).to_be_visible()
    wait_until_done(page)

    page.evaluate("() => { const v = document.getElementById('video'); v.pause(); v.currentTime = 5; }")
    page.wait_for_function(
        "() => { const v = document.getElementById('video'); return !v.seeking && v.readyState >= 2"
        " && Math.abs(v.currentTime - 5) < 0.2; }",
        timeout=WITHIN,
    )
    with page.expect_download(timeout=WITHIN) as fetched:
        page.click("#download")
    from_page, from_client = tmp_path / "page.mp4", tmp_path / "client.mp4"
    fetched.value.save_as(from_page)
    running.client.download(job, from_client)
    assert from_page.read_bytes() == from_client.read_bytes()


def test_captions_are_shown(page: Page, face: Path) -> None:
    submit(page, face, TEXT)
    wait_until_done(page)
    page.wait_for_function(
        "() => document.getElementById('video').textTracks[0]?.cues?.length > 0", timeout=WITHIN
    )
    first = page.evaluate("() => document.getElementById('video').textTracks[0].cues[0].text")
    assert "This picture speaks" in str(first)


def test_finished_videos_are_listed_with_a_picture_and_shown_with_it(page: Page, face: Path) -> None:
    submit(page, face, TEXT)
    wait_until_done(page)
    page.wait_for_function(
        "() => document.querySelector('#history li .thumb img')?.naturalWidth === 256", timeout=WITHIN
    )
    page.reload()
    page.wait_for_function("() => document.getElementById('video').poster.endsWith('.jpg')", timeout=WITHIN)


def test_consent_is_asked_for_where_a_face_or_its_voice_is_taken(page: Page, face: Path) -> None:
    expect(page.locator("#consent-field")).to_be_hidden()
    page.set_input_files("#face", face)
    expect(page.locator("#consent-field")).to_be_visible()
    expect(page.locator("#own-voice-field")).to_be_hidden()
    page.set_input_files("#face", {"name": "clip.mp4", "mimeType": "video/mp4", "buffer": b"a clip"})
    expect(page.locator("#own-voice-field")).to_be_visible()
    page.click("#face-clear")
    expect(page.locator("#consent-field")).to_be_hidden()


def test_chunk_bars_move(page: Page, face: Path) -> None:
    submit(page, face, LONGER + " Once more.")
    widths = "() => [...document.querySelectorAll('#film .chunk b')].map((bar) => bar.style.width)"
    page.wait_for_function(f"() => ({widths})().some((width) => width !== '0%')", timeout=WITHIN)
    before = page.evaluate(widths)
    page.wait_for_function(
        f"(before) => String(({widths})()) !== before", arg=",".join(before), timeout=WITHIN
    )
    wait_until_done(page)


def test_a_killed_worker_shows_as_a_retry_and_the_job_completes(
    page: Page, running: RunningSuite, face: Path
) -> None:
    submit(page, face, LONGER + " A worker dies.")
    expect(page.locator("#gantt .running").first).to_be_visible(timeout=WITHIN)
    busy = page.locator("#gantt .running").first.get_attribute("title") or ""
    os.kill(running.service("lipsync-0" if "lipsync-0" in busy else "lipsync-1"), signal.SIGKILL)
    expect(page.locator("#notes .bad").first).to_contain_text("rendered again", timeout=WITHIN)
    wait_until_done(page)


def test_the_page_finds_a_restarted_gateway_again_and_the_job_completes(
    page: Page, running: RunningSuite, face: Path
) -> None:
    submit(page, face, LONGER + " The gateway dies.")
    expect(page.locator("#gantt .running").first).to_be_visible(timeout=WITHIN)
    os.kill(running.service("gateway"), signal.SIGKILL)
    expect(page.locator("#pulse")).to_contain_text("away", timeout=WITHIN)
    wait_until_done(page)
    expect(page.locator("#pulse")).to_contain_text("workers", timeout=WITHIN)


def test_a_video_that_is_called_off_says_at_which_stage(page: Page, face: Path) -> None:
    submit(page, face, LONGER)
    expect(page.locator("#stages .now")).to_have_text(re.compile("Speaking|Rendering"), timeout=WITHIN)
    page.click("#cancel")
    stage = page.locator("#stages .failed")
    expect(stage).to_contain_text("cancelled", timeout=WITHIN)
    assert stage.evaluate("stage => stage.scrollWidth <= stage.clientWidth")


def test_what_is_wrong_is_said_where_it_is_asked(page: Page, tmp_path: Path) -> None:
    wrong = tmp_path / "face.jpg"
    wrong.write_text("this is no picture")
    page.set_input_files("#face", wrong)
    page.fill("#text", "Hello.")
    expect(page.locator("#problem")).to_contain_text("Face", timeout=WITHIN)
    expect(page.locator("#submit")).to_be_enabled()


def test_size_enhancement_and_background_are_asked_for_and_planned_with(page: Page, face: Path) -> None:
    page.get_by_text("Advanced").click()
    page.fill("#height", "128")
    page.check("#enhance")
    page.check("#fragmented")
    page.get_by_text("Retouching").click()
    page.fill("#contrast", "0.25")
    page.fill("#text", "Hello.")
    expect(page.locator("#plan")).to_contain_text("at 128 × 128", timeout=WITHIN)
    expect(page.locator("#behind-color-field")).to_be_hidden()
    page.select_option("#behind", "color")
    expect(page.locator("#behind-hint")).to_be_visible()
    page.fill("#behind-color", "#123456")
    expect(page.locator("#problem")).to_contain_text("background: the avatar does not stand", timeout=WITHIN)
    page.select_option("#behind", "picture")
    expect(page.locator("#behind-color-field")).to_be_hidden()
    with page.expect_request(lambda asked: "picture_sha256" in (asked.post_data or "")) as sent:
        page.set_input_files("#backdrop", face)
    spec = json.loads(sent.value.post_data or "")
    assert (spec["height"], spec["optimize_streaming"]) == (128, True)
    assert spec["enhancement"] == {"automatic": True, "contrast": 0.25}
    expect(page.locator("#backdrop-name")).to_have_text("face.png")
    page.click("#backdrop-clear")
    expect(page.locator("#plan")).to_contain_text("at 128 × 128", timeout=WITHIN)


def test_it_can_be_used_with_the_keyboard_alone(page: Page) -> None:
    page.locator("#text").focus()
    page.keyboard.type("Hello there, keyboard.")
    page.keyboard.press("Control+Enter")
    page.wait_for_url("**/#job=*", timeout=WITHIN)
    wait_until_done(page)


@pytest.mark.parametrize(("width", "height"), [(390, 844), (1440, 900)])
def test_nothing_is_wider_than_the_window(page: Page, width: int, height: int) -> None:
    page.set_viewport_size({"width": width, "height": height})
    page.get_by_text("Advanced").click()
    page.select_option("#behind", "picture")
    assert page.evaluate("() => document.documentElement.scrollWidth <= window.innerWidth")


def test_nothing_is_loaded_from_elsewhere_and_no_rule_is_broken(page: Page, running: RunningSuite) -> None:
    asked: list[str] = []
    told: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: told.append(message.text))
    page.reload()
    expect(page.locator("#pulse")).to_contain_text("worker", timeout=WITHIN)
    assert {url.partition("/api")[0] for url in asked if not url.startswith(running.suite.http_url)} == set()
    assert not [text for text in told if "Content Security Policy" in text]
