"""Clients of older systems go on working: their paths, their bodies, the answers that they read."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path
from typing import Any

import httpx
import pytest
import requests

from tests.support.gateway_fakes import FakeSuite, fake_suite, frame_lines

curl_is_there = pytest.mark.skipif(shutil.which("curl") is None, reason="needs the curl command")


async def curl(folder: Path, *arguments: str) -> str:
    """What the command writes; it must succeed."""
    process = await asyncio.create_subprocess_exec(
        "curl", "--silent", "--show-error", *arguments, cwd=folder, stdout=asyncio.subprocess.PIPE
    )
    output, _ = await asyncio.wait_for(process.communicate(), 20)
    assert process.returncode == 0
    return output.decode()


async def until_completed(suite: FakeSuite, task: str) -> dict[str, Any]:
    async with httpx.AsyncClient(base_url=suite.http_url, timeout=20) as client:
        async with client.stream("GET", f"/api/events/{task}") as events:
            await events.aread()
        answer = await client.get(f"/api/status/{task}")
    return dict(answer.json())


@curl_is_there
async def test_the_curl_lines_of_older_clients_work_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "test.mp4").write_bytes(b"a face")
    async with fake_suite(tmp_path / "data") as suite:
        url = suite.http_url
        lines = ("-F", "video=@test.mp4", "-F", "text=A long text. Indeed.")
        task = json.loads(await curl(tmp_path, "-X", "POST", f"{url}/api/generate", *lines))
        assert task["status_url"] == f"/api/status/{task['task_id']}"
        await until_completed(suite, task["task_id"])
        status = json.loads(await curl(tmp_path, f"{url}{task['status_url']}"))
        assert status["status"] == "completed"
        assert json.loads(await curl(tmp_path, f"{url}/api/queue"))["queue_length"] == 0
        assert json.loads(await curl(tmp_path, f"{url}/api/gpu-status"))["total_gpus"] == 2
        await curl(tmp_path, f"{url}/api/download/{task['task_id']}", "-o", "result.mp4")
        assert (tmp_path / "result.mp4").read_bytes() == frame_lines(100)
        body = '{"text": "Раз. Два.", "language": "ru", "num_workers": 2}'
        content = ("-H", "Content-Type: application/json", "-d", body, "--output", "avatar_parallel.mp4")
        await curl(tmp_path, "-X", "POST", f"{url}/api/generate_parallel", *content)
        assert (tmp_path / "avatar_parallel.mp4").read_bytes() == frame_lines(100)


async def test_the_requests_line_of_older_clients_works_as_it_is(tmp_path: Path) -> None:
    async with fake_suite(tmp_path) as suite:
        base, text = suite.http_url, ". ".join(["A sentence of two seconds"] * 12) + "."

        def call() -> requests.Response:
            return requests.post(base + "/generate_video", json={"message": text, "agent_type": "general", "enable_parallel": True, "chunk_duration": 12}, timeout=20)  # fmt: skip # noqa: E501 - as in the wild

        answer = (await asyncio.to_thread(call)).json()
        details = answer["processing_details"]
        assert answer["success"] is True
        assert details["chunks"] == details["total_chunks"] == details["successful_chunks"] >= 2
        assert details["failed_chunks"] == 0
        assert details["chunk_duration"] == 12
        assert details["parallel_processing"] is True
        assert details["optimization_level"] == "chunked"
        for name in ("total_processing_time", "audio_generation_time", "video_generation_time"):
            assert details[name] > 0
        video = await asyncio.to_thread(requests.get, base + answer["video_url"], timeout=20)
        assert video.content == frame_lines(24 * 25)


async def test_a_message_may_be_rendered_in_one_piece(tmp_path: Path) -> None:
    async with fake_suite(tmp_path) as suite, httpx.AsyncClient(base_url=suite.http_url) as client:
        body = {"message": "One. Two. Three.", "enable_parallel": False}
        details = (await client.post("/generate_video", json=body)).json()["processing_details"]
        assert (details["chunks"], details["parallel_processing"]) == (1, False)


async def test_status_tells_place_progress_device_times_and_result(tmp_path: Path) -> None:
    async with fake_suite(tmp_path, workers=1) as suite, httpx.AsyncClient(base_url=suite.http_url) as client:
        suite.workers[0].hold = asyncio.Event()
        task = await generate(client, "One. Two.")
        await suite.workers[0].began.wait()
        running = (await client.get(f"/api/status/{task}")).json()
        assert running["status"] == "processing"
        assert 0 <= running["progress"] < 100
        assert running["gpu_id"] == 0
        assert running["queue_position"] == 0
        assert running["result_url"] is None
        assert running["timing"].keys() == {"tts_time", "video_time", "total_time"}
        gpus = (await client.get("/api/gpu-status")).json()["gpus"]
        assert [(gpu["status"], gpu["current_task"]) for gpu in gpus] == [("busy", task)]
        suite.workers[0].hold.set()
        done = await until_completed(suite, task)
        assert done["progress"] == 100
        assert done["result_url"] == f"/api/download/{task}"
        assert all(value > 0 for value in done["timing"].values())


async def test_a_task_that_failed_says_why(tmp_path: Path) -> None:
    async with fake_suite(tmp_path) as suite, httpx.AsyncClient(base_url=suite.http_url) as client:
        suite.speech.fail_at = 0
        task = await generate(client, "One.")
        status = await until_completed(suite, task)
        assert (status["status"], status["result_url"]) == ("failed", None)
        assert "lost its voice" in status["error"]
        answer = await client.post("/api/generate_parallel", json={"text": "Two."})
        assert answer.status_code == 400
        assert "lost its voice" in answer.json()["error"]["message"]


async def test_a_video_that_was_called_off_is_no_success(tmp_path: Path) -> None:
    async with (
        fake_suite(tmp_path) as suite,
        httpx.AsyncClient(base_url=suite.http_url, timeout=20) as client,
    ):
        for worker in suite.workers:
            worker.hold = asyncio.Event()
        jobs: list[dict[str, Any]] = []
        async with asyncio.timeout(20), asyncio.TaskGroup() as group:
            asked = group.create_task(client.post("/generate_video", json={"message": "One."}))
            while not jobs:
                jobs = (await client.get("/api/jobs")).json().get("jobs", [])
            await client.post(f"/api/jobs/{jobs[0]['id']}/cancel")
        assert asked.result().status_code == 409
        assert asked.result().json()["error"]["details"][0]["reason"] == "JOB_NOT_DONE"


async def test_health_and_info_tell_what_is_there(tmp_path: Path) -> None:
    async with fake_suite(tmp_path) as suite, httpx.AsyncClient(base_url=suite.http_url) as client:
        health = (await client.get("/api/health")).json()
        assert health["status"] == "healthy"
        assert (health["gan_model_loaded"], health["nogan_model_loaded"]) == (False, False)
        info = (await client.get("/api/info")).json()
        assert [engine["name"] for engine in info["engines"]] == ["viseme"]
        assert info["limits"]["max_text_characters"] == 200_000


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/generate_video", {"message": 5}, "message"),
        ("/generate_video", {"message": "Hi.", "enable_parallel": "yes"}, "enable_parallel"),
        ("/generate_video", {"message": "Hi.", "chunk_duration": 1e9}, "chunk_duration"),
        ("/generate_video", {"message": "Hi.", "chunk_duration": 10**400}, "chunk_duration"),
        ("/generate_video", {"message": ""}, "message"),
        ("/api/generate_parallel", {"text": ""}, "text"),
        ("/api/generate_parallel", {"text": "Hi.", "num_workers": "2"}, "num_workers"),
        ("/api/generate_parallel", {"text": "Hi.", "num_workers": -1}, "num_workers"),
        ("/api/generate_parallel", {"text": "Hi.", "num_workers": 10**400}, "num_workers"),
        ("/api/generate_parallel", {"text": "Hi.", "num_workers": True}, "num_workers"),
        ("/api/generate_parallel", ["text"], ""),
    ],
)
async def test_what_is_wrong_is_named(tmp_path: Path, path: str, body: object, field: str) -> None:
    async with fake_suite(tmp_path) as suite, httpx.AsyncClient(base_url=suite.http_url) as client:
        answer = await client.post(path, json=body)
        assert answer.status_code == 400
        violations = answer.json()["error"]["details"][0]["field_violations"]
        assert [violation.get("field", "") for violation in violations] == [field]


async def test_a_form_without_a_face_or_with_a_broken_frame_is_refused(tmp_path: Path) -> None:
    async with fake_suite(tmp_path) as suite, httpx.AsyncClient(base_url=suite.http_url) as client:
        assert (await client.post("/api/generate", data={"text": "Hi."})).status_code == 400
        empty = await client.post("/api/generate", data={"text": "Hi."}, files={"video": b""})
        assert empty.json()["error"]["message"] == "video: the file is empty"
        mute = await client.post("/api/generate", files={"video": b"a face"})
        assert mute.json()["error"]["message"].startswith("text: is empty")
        broken = {"content-type": "multipart/form-data; boundary=x"}
        assert (await client.post("/api/generate", content=b"--y\r\n", headers=broken)).status_code == 400


async def test_a_face_that_is_too_large_is_refused_and_not_kept(tmp_path: Path) -> None:
    async with (
        fake_suite(tmp_path, max_upload_bytes=1000) as suite,
        httpx.AsyncClient(base_url=suite.http_url) as client,
    ):
        answer = await client.post("/api/generate", data={"text": "Hi."}, files={"video": b"x" * 1001})
        assert answer.status_code == 400
        assert "limit of 1000 bytes" in answer.json()["error"]["message"]
        kept = [path for name in ("uploads", "artifacts") for path in (tmp_path / name).rglob("*")]
        assert not [path for path in kept if path.is_file()]


async def generate(client: httpx.AsyncClient, text: str) -> str:
    """A task whose file has a name that is none of the gateway's business."""
    files = {"video": ("../../etc/passwd", b"a face")}
    answer = await client.post("/api/generate", files=files, data={"text": text})
    assert answer.status_code == 202, answer.text
    return str(answer.json()["task_id"])
