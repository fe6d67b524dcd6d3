"""The supervisor, with services that do nothing."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from mouthpiece.errors import BadInput, MouthpieceError
from mouthpiece.suite import Phase, Service
from mouthpiece.suite.supervisor import restart_wait
from tests.support.cli_fake_suite import alive, fake_suite, pids


class Story:
    """What happened to services, in order, and a way to wait for it."""

    def __init__(self) -> None:
        self.told: list[tuple[str, Phase]] = []
        self._more = asyncio.Event()

    def __call__(self, service: Service) -> None:
        self.told.append((service.plan.name, service.phase))
        self._more.set()

    async def until(self, name: str, phase: Phase, times: int) -> None:
        while self.told.count((name, phase)) < times:
            self._more.clear()
            await self._more.wait()


async def test_services_start_from_the_inside_and_stop_from_the_outside(tmp_path: Path) -> None:
    story = Story()
    async with fake_suite(tmp_path, on_change=story) as suite:
        processes = pids(suite)
        assert all(map(alive, processes))
    assert story.told == [
        ("inner", Phase.STARTING),
        ("inner", Phase.SERVING),
        ("front", Phase.STARTING),
        ("front", Phase.SERVING),
        ("front", Phase.STOPPING),
        ("front", Phase.STOPPED),
        ("inner", Phase.STOPPING),
        ("inner", Phase.STOPPED),
    ]
    assert not any(map(alive, processes))
    log = (tmp_path / "logs" / "front.log").read_text()
    assert log.splitlines()[1:] == ["serving", "drained"]


async def test_a_killed_service_comes_back_on_its_port(tmp_path: Path) -> None:
    story = Story()
    async with fake_suite(tmp_path, on_change=story) as suite:
        inner = suite.services[0]
        assert inner.child is not None
        first = inner.child.pid
        os.kill(first, signal.SIGKILL)
        await story.until("inner", Phase.SERVING, 2)
        assert inner.child.pid != first
        assert inner.restarts == 1
    assert ("inner", Phase.CRASHED) in story.told
    assert "killed by signal 9" in inner.said


async def test_a_service_that_cannot_be_started_for_a_while_comes_back(tmp_path: Path) -> None:
    story = Story()
    async with fake_suite(tmp_path, on_change=story) as suite, asyncio.timeout(90):
        inner = suite.services[0]
        assert inner.child is not None
        inner.log.rename(tmp_path / "before.log")
        inner.log.mkdir()  # nothing can be written there, as on a full disk
        os.kill(inner.child.pid, signal.SIGKILL)
        await story.until("inner", Phase.CRASHED, 2)
        inner.log.rmdir()
        await story.until("inner", Phase.SERVING, 2)


async def test_a_service_that_does_not_start_says_why_and_leaves_nothing(tmp_path: Path) -> None:
    suite = fake_suite(tmp_path, moods={"front": "broken"})
    with pytest.raises(MouthpieceError, match=r"front did not start \(exit code 1\): the model is missing"):
        await suite.__aenter__()
    assert not any(map(alive, pids(suite)))


async def test_a_service_that_ignores_the_wish_to_drain_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mouthpiece.suite.supervisor._KILL_AFTER_DRAIN", 0.0)
    async with fake_suite(tmp_path, moods={"inner": "deaf"}, drain_seconds=0.1) as suite:
        processes = pids(suite)
    assert not any(map(alive, processes))


async def test_a_second_wish_to_stop_does_not_wait(tmp_path: Path) -> None:
    async with fake_suite(tmp_path, moods={"inner": "deaf", "front": "deaf"}, drain_seconds=600) as suite:
        processes = pids(suite)
        await suite.kill()
        assert not any(map(alive, processes))


async def test_a_taken_port_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(BadInput, match=f"port {port} of 127.0.0.1 is taken") as raised:
            await fake_suite(tmp_path, grpc_port=port).__aenter__()
    assert raised.value.violations[0].field == "grpc_port"


async def test_a_folder_serves_one_suite_at_a_time(tmp_path: Path) -> None:
    async with fake_suite(tmp_path):
        with pytest.raises(BadInput, match=f"in use by another suite .process {os.getpid()}") as raised:
            await fake_suite(tmp_path).__aenter__()
        assert raised.value.violations[0].field == "data"
    async with fake_suite(tmp_path):
        pass


async def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BadInput, match="cannot be used"):
        await fake_suite(tmp_path / "file" / "data").__aenter__()


def start_program(data: Path) -> tuple[subprocess.Popen[str], list[int]]:
    command = [sys.executable, "-m", "tests.support.cli_fake_suite", str(data)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, [int(pid) for pid in process.stdout.readline().split()]


def wait_until_gone(processes: list[int]) -> None:
    tick = threading.Event()
    while any(map(alive, processes)):
        tick.wait(0.01)


def test_nothing_outlives_a_supervisor_that_is_killed(tmp_path: Path) -> None:
    process, processes = start_program(tmp_path)
    assert len(processes) == 2
    with process:
        process.kill()
    wait_until_gone(processes)
    assert (tmp_path / "logs" / "inner.log").read_text().endswith("drained\n")


async def test_a_suite_follows_at_once_on_one_that_was_killed(tmp_path: Path) -> None:
    process, processes = await asyncio.to_thread(start_program, tmp_path)
    process.kill()
    async with fake_suite(tmp_path):
        assert not any(map(alive, processes))
    await asyncio.to_thread(process.communicate)


def test_waits_between_restarts_grow_to_half_a_minute() -> None:
    assert [restart_wait(crashes) for crashes in range(1, 9)] == [0.5, 1, 2, 4, 8, 16, 30, 30]
