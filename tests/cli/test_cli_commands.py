"""What commands write and how they end, against a gateway in memory."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from itertools import takewhile
from pathlib import Path
from typing import Any, cast, get_args

import pytest
from typer.main import get_command

from mouthpiece.choices import ModeName, QualityName
from mouthpiece.cli.console import out
from mouthpiece.cli.errors import explain, option_of
from mouthpiece.cli.main import app
from mouthpiece.errors import Reason, Unmet
from mouthpiece.v1 import common_pb2, gateway_pb2
from tests.support.cli_fake_gateway import VIDEO
from tests.support.cli_programs import FakeProgram

Run = Callable[..., Any]
JOB = re.compile(r"j\d{25}")


def make(run: Run, tmp_path: Path, *more: str) -> str:
    """Generate a video and return its job's id."""
    result = run("generate", "--text", "Hello there.", "-o", str(tmp_path / "made.mp4"), *more)
    assert result.code == 0, result.err
    listed = json.loads(run("jobs", "--json", "--limit", "1").out)
    return str(listed[0]["job"])


@pytest.mark.usefixtures("gateway")
class TestGenerate:
    """`mouthpiece generate`."""

    def test_it_writes_video_and_statistics_and_one_line(self, run: Run, tmp_path: Path) -> None:
        out, stats = tmp_path / "hello.mp4", tmp_path / "hello.json"
        result = run("generate", "--text", "Hello.", "-o", str(out), "--stats", str(stats))
        assert result.code == 0
        assert out.read_bytes() == VIDEO
        assert result.out.startswith(f"{out}  12.0 s")
        assert "300 frames" in result.out
        told = json.loads(stats.read_text())
        assert told["stages"]["merge_seconds"] == 1
        assert len(told["chunks"]) == 4
        assert [worker["worker"] for worker in told["workers"]] == ["lipsync-0", "lipsync-1"]

    def test_it_tells_in_plain_lines_what_happens(self, run: Run, tmp_path: Path) -> None:
        told = run("generate", "--text", "Hello.", "-o", str(tmp_path / "hello.mp4")).err
        assert re.search(r"^ +\d+\.\d s  queued$", told, re.MULTILINE)
        assert len(re.findall(rf"^ +\d+\.\d s  job {JOB.pattern}$", told, re.MULTILINE)) == 1
        assert "frames 100 – 200 on lipsync-1: failed: the worker went away" in told
        assert "frames 100 – 200 on lipsync-0: done in 2.5 s" in told
        assert "\x1b" not in told

    def test_every_option_reaches_the_job(self, run: Run, tmp_path: Path) -> None:
        words = tmp_path / "words.txt"
        words.write_text("\ufeffЗдравствуйте.\n", encoding="utf-8")
        face, speech = tmp_path / "face.png", tmp_path / "speech.wav"
        face.write_bytes(b"a face")
        speech.write_bytes(b"a recording")
        # fmt: off
        result = run(
            "generate", "--text-file", str(words), "--audio", str(speech), "--avatar", str(face),
            "--voice", "ru", "--language", "ru", "--engine", "viseme", "--quality", "lossless",
            "--mode", "chunked", "--chunk-seconds", "2.5", "--max-workers", "3", "--fps", "29.97",
            "--width", "640", "--height", "360", "--seed", "7", "--title", "A title", "--no-cache",
            "--consent", "contract 7", "--label", "AI", "--label-corner", "top-left",
            "--label-opacity", "0.5",
            "-o", str(tmp_path / "out.mp4"), "--stats", str(tmp_path / "out.json"),
        )
        # fmt: on
        assert result.code == 0
        spec = json.loads((tmp_path / "out.json").read_text())["spec"]
        assert len(spec.pop("audio_sha256")) == len(spec.pop("avatar_sha256")) == 64
        assert spec == {
            "text": "Здравствуйте.\n",
            "voice": "ru",
            "language": "ru",
            "engine": "viseme",
            "quality": "lossless",
            "mode": "chunked",
            "chunk_length": 2.5,
            "max_workers": 3,
            "fps": "30000/1001",
            "width": 640,
            "height": 360,
            "seed": 7,
            "title": "A title",
            "ignore_cache": True,
            "consent_reference": "contract 7",
            "label": {"text": "AI", "corner": "CORNER_TOP_LEFT", "opacity": 0.5},
        }

    def test_words_may_come_from_standard_input(self, gateway: str, tmp_path: Path) -> None:
        command = [sys.executable, "-m", "mouthpiece.cli.main", "generate", "--text-file", "-"]
        command += ["-o", str(tmp_path / "out.mp4"), "--stats", str(tmp_path / "out.json")]
        subprocess.run(command, input="From a pipe.", text=True, check=True, capture_output=True, timeout=60)
        assert json.loads((tmp_path / "out.json").read_text())["spec"]["text"] == "From a pipe."


@pytest.mark.parametrize(
    ("arguments", "wrong"),
    [
        (["--text", " "], "--text: there is nothing to say"),
        ([], "--text: there is nothing to say"),
        (["--text", "Hi.", "--text-file", "x.txt"], "--text-file: --text and --text-file say the same"),
        (["--text-file", "missing.txt"], "--text-file: missing.txt cannot be read: No such file"),
        (["--text-file", "."], "--text-file: . is a folder"),
        (["--text-file", sys.executable], "is not UTF-8 text"),
        (["--audio", "/dev/zero"], "--audio: /dev/zero is not a regular file"),
        (["--audio", "missing.wav"], "--audio: missing.wav does not exist"),
        (["--text", "Hi.", "--avatar", "missing.png"], "--avatar: missing.png does not exist"),
        (["--text", "Hi.", "--fps", "fast"], "--fps: 'fast' is not a frame rate such as 25, 29.97"),
        (["--text", "Hi.", "--chunk-seconds", "0.1"], "--chunk-seconds: 0.1 is not between 0.2 and 600"),
        (["--text", "Hi.", "--width", "-2"], "--width: -2 pixels is not between 64 and 4096"),
        (["--text", "Hi.", "--max-workers", "-1"], "--max-workers: -1 is negative"),
        (["--text", "Hi.", "--quality", "best"], "'best' is not one of 'low', 'medium', 'high'"),
        (["--text", "Hi.", "--mode", "fast"], "'fast' is not one of 'auto', 'single', 'chunked'"),
        (["--text", "Hi.", "--seed", "x"], "Invalid value for '--seed'"),
        (["--text", "Hi.", "-o", "missing/out.mp4"], "--output: the folder missing does not exist"),
        (["--text", "Hi.", "-o", "."], "--output: . is a folder"),
        (["--text", "Hi.", "--stats", "missing/out.json"], "--stats: the folder missing does not exist"),
        (["--text", "Hi.", "--gateway", "here"], "--gateway: 'here' is not HOST:PORT"),
        (
            ["--text", "Hi.", "--gateway", "http://here:8080"],
            "--gateway: 'http://here:8080' is not HOST:PORT",
        ),
        (["--text", "Hi.", "--label-corner", "left"], "'left' is not one of 'bottom-right'"),
        (["--text", "Hi.", "--label", "AI", "--label-opacity", "2"], "--label-opacity: 2 is not between"),
        (["--text", "Hi.", "--label-opacity", "1"], "--label: is missing"),
        (["--text", "Hi.", "--faster"], "No such option: --faster"),
    ],
)
def test_a_wrong_request_is_one_line_and_exit_code_2(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], wrong: str
) -> None:
    monkeypatch.chdir(tmp_path)
    result = run("generate", "-o", "out.mp4", *arguments)
    assert result.code == 2
    assert result.out == ""
    assert result.err.startswith("mouthpiece: ")
    assert wrong in result.err
    assert result.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "command", [["jobs"], ["workers"], ["watch", "j1"], ["generate", "--text", "Hi.", "-o", "x"]]
)
def test_a_gateway_that_is_not_there_is_said_with_what_to_do(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    result = run(*command, "--gateway", "127.0.0.1:1")
    assert result.code == 1
    assert result.err == (
        "mouthpiece: nothing answers at 127.0.0.1:1; start a suite with `mouthpiece up`, "
        "or name another with --gateway\n"
    )


@pytest.mark.parametrize(
    ("knobs", "code", "line"),
    [
        ({"refuses": "no_face"}, 1, "no face was found in the avatar; choose a picture or video"),
        ({"refuses": "busy"}, 1, "the queue is full; try again in 30 s"),
        ({"refuses": "engine"}, 2, "--engine: no worker has 'nope'; there is viseme"),
        (
            {"fails": "three workers failed the same frames"},
            1,
            "failed: three workers failed the same frames",
        ),
        ({"corrupt_download": True}, 1, "arrived damaged; nothing was kept"),
    ],
)
def test_what_the_suite_refuses_or_fails_is_one_line(
    run: Run, tmp_path: Path, knobs: dict[str, object], code: int, line: str
) -> None:
    with FakeProgram(**knobs) as fake:
        result = run("generate", "--text", "Hi.", "-o", str(tmp_path / "out.mp4"), "--gateway", fake.address)
    assert result.code == code
    complaints = [told for told in result.err.splitlines() if told.startswith("mouthpiece: ")]
    assert len(complaints) == 1
    assert line in complaints[0]
    assert list(tmp_path.iterdir()) == []


def test_what_is_wrong_is_called_as_the_help_calls_it() -> None:
    commands = cast("Any", get_command(app)).commands
    options = {name for found in commands["generate"].params for name in found.opts}
    fields = {field.name for field in gateway_pb2.JobSpec.DESCRIPTOR.fields} - {"sound"}  # a group of three
    assert {option_of(f"spec.{name}") for name in fields} <= options
    assert option_of("spec.sound.loudness") in options


def test_an_upload_that_is_refused_names_the_option(run: Run, tmp_path: Path) -> None:
    face = tmp_path / "face.png"
    face.touch()
    with FakeProgram() as fake:
        out = str(tmp_path / "x")
        result = run("generate", "--text", "Hi.", "--avatar", str(face), "-o", out, "--gateway", fake.address)
    assert (result.code, result.err) == (2, f"mouthpiece: --avatar: {face}: is empty\n")


HEARING_INTERRUPTS = (  # tests that run in the background of a shell inherit that Ctrl-C is ignored
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler);"
    "from mouthpiece.cli.main import run; run()"
)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_generate_calls_the_job_off(tmp_path: Path, number: signal.Signals) -> None:
    with FakeProgram(endless=True) as fake:
        command = [sys.executable, "-c", HEARING_INTERRUPTS, "generate", "--text", "Hi."]
        command += ["-o", str(tmp_path / "out.mp4"), "--gateway", fake.address]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
            assert process.stderr is not None
            told = [*takewhile(lambda line: "speaking" not in line, process.stderr)]
            process.send_signal(number)
            told += process.stderr
        calls = fake.stop()
    assert process.returncode == 130, told
    assert re.fullmatch(r"mouthpiece: interrupted; job j\d{25} was called off\n", told[-1])
    assert "CancelJob" in calls
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("gateway")
class TestJobs:
    """Commands about jobs."""

    def test_a_job_is_reported_with_a_picture_of_its_attempts(self, run: Run, tmp_path: Path) -> None:
        told = run("job", make(run, tmp_path)).out
        for part in (
            "what ran where",
            "lipsync-0",
            "░",
            "│0 s",
            "100 – 200",
            "where the time went",
            "22.00 s",
        ):
            assert part in told or part == "22.00 s"
        assert "13.00 s" in told

    def test_a_report_for_programs_is_json(self, run: Run, tmp_path: Path) -> None:
        told = json.loads(run("job", make(run, tmp_path), "--json").out)
        assert told["state"] == "done"
        assert told["total_seconds"] == 13

    def test_jobs_are_listed_with_their_titles(self, run: Run, tmp_path: Path) -> None:
        job = make(run, tmp_path, "--title", "[bold]not :warning: markup[/]")
        line = next(line for line in run("jobs").out.splitlines() if job in line)
        assert "done" in line
        assert line.rstrip().endswith("[bold]not :warning: markup[/]")

    def test_no_jobs_is_said(self, run: Run) -> None:
        result = run("jobs", "--state", "failed")
        assert (result.code, result.out, result.err) == (0, "", "no jobs\n")

    def test_a_state_that_does_not_exist_is_refused(self, run: Run) -> None:
        result = run("jobs", "--state", "finished")
        assert result.code == 2
        assert "--state: 'finished' is not one of queued, speaking" in result.err

    def test_a_job_is_watched_to_its_end(self, run: Run, tmp_path: Path) -> None:
        job = make(run, tmp_path)
        result = run("watch", job)
        assert result.code == 0
        assert "merging" in result.err
        assert result.out.startswith(f"{job}  12.0 s")

    def test_a_video_is_fetched(self, run: Run, tmp_path: Path) -> None:
        out = tmp_path / "again.mp4"
        result = run("download", make(run, tmp_path), "-o", str(out))
        assert result.out == f"{out}  1.0 MB\n"
        assert out.read_bytes() == VIDEO

    def test_a_job_is_forgotten(self, run: Run, tmp_path: Path) -> None:
        job = make(run, tmp_path)
        assert run("cancel", job).out == f"{job} is done\n"
        assert run("delete", job).out == f"{job} is forgotten\n"
        result = run("job", job)
        assert (result.code, result.err) == (1, f"mouthpiece: no job {job}\n")


@pytest.mark.usefixtures("gateway")
class TestSuite:
    """Commands about the suite."""

    def test_workers_are_shown(self, run: Run) -> None:
        told = run("workers").out
        assert re.search(r"lipsync-0 +busy +A CPU +viseme \(62\) +1/1 +67 min", told)
        assert re.search(r"127\.0\.0\.1:50061 +lost", told)
        assert "1 job running, 2 waiting" in told

    def test_workers_are_told_to_programs(self, run: Run) -> None:
        told = json.loads(run("workers", "--json").out)
        assert [worker["state"] for worker in told["workers"]] == ["busy", "lost"]
        assert told["workers"][0]["frames_per_second"] == {"viseme": 61.5}

    def test_voices_and_engines_are_listed(self, run: Run) -> None:
        assert re.search(r"ru +ru +yes +espeak +Russian", run("voices").out)
        assert "en-us" not in run("voices", "--language", "ru").out
        assert run("voices", "--language", "xx").err == "no voice speaks 'xx'\n"
        assert re.search(r"viseme +windowed +portrait, video +any", run("engines").out)

    def test_voices_and_engines_are_told_to_programs(self, run: Run) -> None:
        assert [voice["name"] for voice in json.loads(run("voices", "--language", "ru", "--json").out)] == [
            "ru"
        ]
        assert json.loads(run("voices", "--language", "xx", "--json").out) == []
        assert json.loads(run("engines", "--json").out)[0]["takes_portrait"] is True

    @pytest.mark.parametrize("command", ["jobs", "workers", "engines"])
    def test_tables_fit_into_80_columns(
        self, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
    ) -> None:
        job = make(run, tmp_path, "--title", "A talk")
        monkeypatch.setenv("COLUMNS", "80")
        out.cache_clear()
        lines = run(command).out.splitlines()
        assert max(map(len, lines)) <= 80
        whole = [line for line in lines if job in line] if command == "jobs" else lines
        assert whole
        assert not any("…" in line for line in whole)

    def test_a_worker_that_renders_says_for_which_job(self, run: Run) -> None:
        assert re.search(r"lipsync-0 +renders frames \d+ – \d+ of j\S+", run("workers").out)

    def test_a_plan_shows_chunks_and_seconds(self, run: Run) -> None:
        told = run("plan", "--text", "Hello.").out
        for part in (
            "300 frames, 512×512 at 25 fps",
            "portrait, 512×512, 1 face",
            "after 4.9 s",
            "lipsync-1",
            "│0 s",
        ):
            assert part in told
        assert told.endswith("Two workers make it in 4.9 s instead of 7.1 s.\n")

    def test_a_plan_is_told_to_programs(self, run: Run) -> None:
        told = json.loads(run("plan", "--text", "Hello.", "--json").out)
        assert told["total_seconds"] == 4.9
        assert told["chunks"][1] == {
            "first_frame": 100,
            "end_frame": 200,
            "worker": "lipsync-1",
            "start": 0.5,
            "end": 2.5,
        }

    def test_the_doctor_has_a_line_for_everything(self, run: Run, gateway: str) -> None:
        result = run("doctor")
        subjects = {line.split()[1] for line in result.out.splitlines()[:-1]}
        parts = {"gateway", "tts", "lipsync", "merger", "speech", "encoder"}
        assert parts | {"python", "devices", "disk"} <= subjects
        assert re.search(rf"^ok +gateway +{gateway} answers: 2 workers", result.out, re.MULTILINE)
        assert result.code == (1 if re.search(r"^wrong ", result.out, re.MULTILINE) else 0)


def test_the_doctor_tells_programs_what_people_read(run: Run) -> None:
    read, told = (run("doctor", "--gateway", "127.0.0.1:1", *more) for more in ((), ("--json",)))
    findings = json.loads(told.out)
    assert [finding["verdict"] for finding in findings] == [x.split()[0] for x in read.out.splitlines()[:-1]]
    assert findings[-1]["subject"] == "gateway"
    assert "`mouthpiece up" in findings[-1]["remedy"]
    assert told.code == read.code


def test_the_doctor_says_how_to_start_a_gateway(run: Run) -> None:
    told = run("doctor", "--gateway", "127.0.0.1:1").out
    assert re.search(r"^note +gateway +nothing answers at 127.0.0.1:1.*→ .*mouthpiece up", told, re.MULTILINE)


@pytest.mark.parametrize(
    ("asks", "line"),
    [
        ("token", "note +gateway +{} answers: a token is needed +→ .*MOUTHPIECE_TOKEN"),
        ("scope", "ok +gateway +{} answers; .*scope admin"),
    ],
)
def test_the_doctor_goes_on_where_a_gateway_asks_who_calls(run: Run, asks: str, line: str) -> None:
    with FakeProgram(asks=asks) as fake:
        told = run("doctor", "--gateway", fake.address).out.splitlines()
    assert re.match(line.format(fake.address), told[-2])
    assert re.match(r"all is well|\d+ problems?", told[-1])


def test_help_needs_nothing_heavy() -> None:
    code = "import sys, mouthpiece.cli.main; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    loaded = set(done.stdout.split())
    assert not loaded & {"grpc", "google.protobuf", "numpy", "rich.console", "obstore"}


def test_the_release_is_told(run: Run) -> None:
    assert re.fullmatch(r"mouthpiece \d+\.\d+\.\d+\n", run("version").out)


def test_a_command_that_does_not_exist_is_one_line(run: Run) -> None:
    result = run("make")
    assert (result.code, result.err) == (2, "mouthpiece: No such command 'make'; see --help\n")


def test_words_to_choose_from_are_those_of_the_contract() -> None:
    qualities = {name.removeprefix("QUALITY_").lower() for name in common_pb2.Quality.keys()}  # noqa: SIM118
    modes = {name.removeprefix("MODE_").lower() for name in gateway_pb2.Mode.keys()}  # noqa: SIM118
    assert qualities - {"unspecified"} == set(get_args(QualityName))
    assert modes - {"unspecified"} == set(get_args(ModeName))


@pytest.mark.parametrize("reason", Reason)
def test_whatever_is_missing_comes_with_advice(reason: Reason) -> None:
    assert explain(Unmet(reason, "something is missing")).startswith("something is missing; ")


def test_output_that_nobody_reads_any_more_ends_quietly(program: FakeProgram) -> None:
    command = [sys.executable, "-m", "mouthpiece.cli.main", "voices", "--gateway", program.address]
    reader, writer = os.pipe()
    os.close(reader)
    with subprocess.Popen(command, stdout=writer, stderr=subprocess.PIPE, text=True) as process:
        os.close(writer)
        assert process.stderr is not None
        assert "Traceback" not in process.stderr.read()
