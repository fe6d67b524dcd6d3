"""What the README says for grpcurl, done with `buf curl`, which is a wheel."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from pathlib import Path

from mouthpiece.media.probe import read_movie
from tests.support.running_suite import RunningSuite

BUF = Path(sys.executable).with_name("buf")


def curl(running: RunningSuite, method: str, *arguments: str) -> list[dict[str, object]]:
    url = f"http://{running.suite.address}" + (f"/mouthpiece.v1.VideoService/{method}" if method else "")
    command = [str(BUF), "curl", "--protocol", "grpc", "--http2-prior-knowledge", *arguments, url]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert result.returncode == 0, result.stderr
    decoder, text, found = json.JSONDecoder(), result.stdout.strip(), []
    while text:
        value, end = decoder.raw_decode(text)
        found.append(value)
        text = text[end:].lstrip()
    return found


def test_services_are_listed_and_a_job_goes_from_submission_to_download(
    running: RunningSuite, tmp_path: Path
) -> None:
    command = [str(BUF), "curl", "--protocol", "grpc", "--http2-prior-knowledge", "--list-services"]
    listed = subprocess.run(
        [*command, f"http://{running.suite.address}"], capture_output=True, text=True, timeout=60, check=True
    )
    assert "mouthpiece.v1.VideoService" in listed.stdout.split()

    spec = {"spec": {"text": "Hello from the command line.", "width": 256, "height": 256}}
    job = curl(running, "SubmitJob", "-d", json.dumps(spec))[0]["job"]
    assert isinstance(job, dict)
    name = json.dumps({"job_id": job["id"]})
    events = [message["event"] for message in curl(running, "WatchJob", "-d", name)]
    last = events[-1]
    assert isinstance(last, dict)
    assert last["state"]["state"] == "JOB_STATE_DONE"

    parts = curl(running, "DownloadVideo", "-d", name)
    video = tmp_path / "out.mp4"
    video.write_bytes(b"".join(base64.b64decode(str(part.get("data", ""))) for part in parts))
    movie = read_movie(video)
    assert movie.video is not None
    assert movie.video.width == 256
