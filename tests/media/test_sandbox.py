"""Work on strangers' files in children: what comes back, and what happens to those that take too much."""

from __future__ import annotations

import inspect
import os
import resource
import signal
import socket
import time
from collections.abc import Callable
from errno import ENOSPC
from functools import partial
from pathlib import Path

import pytest

from mouthpiece.errors import BadInput, Busy, NotFound, Reason, Unmet, Violation
from mouthpiece.media.sandbox import Bounds, confined

BOUNDS = Bounds(cpu_seconds=30, wall_seconds=60)


def refused(bounds: Bounds, work: Callable[[], object]) -> str:
    with pytest.raises(BadInput) as caught:
        confined("avatar", bounds, work)
    assert caught.value.violations[0].field == "avatar"
    return caught.value.violations[0].description


def add(a: int, b: int) -> int:
    return a + b


def fail(error: Exception) -> None:
    raise error


def spin() -> None:
    while True:
        pass


def fill(size: int) -> int:
    return len(bytearray(size))


def crash() -> None:
    signal.raise_signal(signal.SIGSEGV)


def die_while_answering() -> None:
    frame = inspect.currentframe()
    assert frame is not None
    assert frame.f_back is not None
    answering = frame.f_back.f_locals["theirs"]
    os.write(answering.fileno(), (1000).to_bytes(4, "big") + b"the beginning")
    signal.raise_signal(signal.SIGKILL)


def write(path: Path, size: int) -> None:
    path.write_bytes(bytes(size))


def open_files() -> int:
    return len([os.dup(0) for _ in range(200)])


def connect(port: int) -> None:
    socket.create_connection(("127.0.0.1", port), timeout=5).close()


def test_a_result_comes_back() -> None:
    assert confined("avatar", BOUNDS, partial(add, 2, 3)) == 5


@pytest.mark.parametrize(
    "error",
    [
        BadInput("audio", "silent", Violation("audio", "and short")),
        Unmet(Reason.NO_FACE, "no face"),
        Busy("later", 2.5),
        NotFound("gone"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_of_the_tree_comes_back_whole(error: Exception) -> None:
    with pytest.raises(type(error)) as caught:
        confined("avatar", BOUNDS, partial(fail, error))
    assert vars(caught.value) == vars(error)
    assert str(caught.value) == str(error)


def test_what_dies_while_it_answers_is_refused() -> None:
    assert "too much" in refused(BOUNDS, partial(die_while_answering))


def test_a_full_disk_is_not_called_a_bad_file() -> None:
    with pytest.raises(OSError, match="No space left") as caught:
        confined("avatar", BOUNDS, partial(fail, OSError(ENOSPC, "No space left on device")))
    assert caught.value.errno == ENOSPC


def test_what_computes_for_ever_is_ended_by_its_processor_time() -> None:
    assert "too much time" in refused(Bounds(cpu_seconds=1, wall_seconds=60), partial(spin))


def test_what_waits_for_ever_is_ended_by_the_clock() -> None:
    began = time.monotonic()
    assert "too much time" in refused(Bounds(cpu_seconds=30, wall_seconds=0.3), partial(time.sleep, 300))
    assert time.monotonic() - began < 60


def test_what_wants_too_much_memory_is_refused() -> None:
    bounds = Bounds(30, 60, memory_bytes=64 << 20)
    assert confined("avatar", bounds, partial(fill, 16 << 20)) == 16 << 20
    assert "memory" in refused(bounds, partial(fill, 128 << 20))


def test_a_decoder_that_crashes_takes_nothing_with_it(capfd: pytest.CaptureFixture[str]) -> None:
    assert "damaged" in refused(BOUNDS, partial(crash))
    assert "damaged" in refused(BOUNDS, partial(fail, ZeroDivisionError()))


def test_files_have_a_largest_size(tmp_path: Path) -> None:
    bounds = Bounds(30, 60, file_bytes=1000)
    confined("avatar", bounds, partial(write, tmp_path / "small", 1000))
    with pytest.raises(OSError, match="too large"):
        confined("avatar", bounds, partial(write, tmp_path / "large", 1001))


def test_few_files_can_be_opened() -> None:
    with pytest.raises(OSError, match="open files"):
        confined("avatar", BOUNDS, partial(open_files))


def test_there_is_no_network(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root may leave the network everywhere")
    with socket.create_server(("127.0.0.1", 0)) as server, pytest.raises(OSError, match="unreachable"):
        confined("avatar", BOUNDS, partial(connect, server.getsockname()[1]))


def test_work_that_is_no_longer_wanted_ends() -> None:
    with pytest.raises(NotFound):
        confined("avatar", BOUNDS, partial(time.sleep, 300), partial(fail, NotFound("nobody waits")))


def test_limits_do_not_stay_with_the_parent() -> None:
    before = resource.getrlimit(resource.RLIMIT_AS), len(list(Path("/proc/self/fd").iterdir()))
    confined("avatar", BOUNDS, partial(add, 1, 1))
    assert (resource.getrlimit(resource.RLIMIT_AS), len(list(Path("/proc/self/fd").iterdir()))) == before
