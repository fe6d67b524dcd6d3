"""Decoding what strangers send, in a child process that may use little and reach nothing.

A decoder can be made to loop, to fill memory, or to crash by a file of a few bytes. Here that ends a child:
it has limits on processor time, memory, files written and open, a deadline, and no network where the system
lets it give that up. What comes back is pickled, so this contains accidents of decoders and exhausting
files; against code that takes over a decoder, run the services as containers with few rights.

Children are forked by a server process that is started fresh and has no threads: forking a service with its
threads, gRPC and CUDA is not safe, and starting an interpreter for each file takes longer than most files.
"""

from __future__ import annotations

import ctypes
import logging
import resource
import signal
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing import Pipe, forkserver, get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from tempfile import gettempdir
from typing import Any, TypeVar, cast

from mouthpiece.errors import BadInput, MouthpieceError

log = logging.getLogger(__name__)

Result = TypeVar("Result")

_LOOK_SECONDS = 0.05
"""Time between two looks at whether the work is still wanted."""
_OPEN_FILES = 64
_NEW_USER, _NEW_NET = 0x1000_0000, 0x4000_0000
"""CLONE_NEWUSER and CLONE_NEWNET of Linux: `os.unshare` came with Python 3.12."""

_LONGEST_FOLDER = 70
"""Characters of a temporary folder in which the address of a fork server, a socket, finds room."""

_roomy = len(gettempdir()) <= _LONGEST_FOLDER
_context = get_context("forkserver") if _roomy else get_context("spawn")
_processes = threading.Lock()
"""`multiprocessing` reaps children of other threads while it starts one, and loses how they ended."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a child may use: processor seconds, seconds altogether, bytes of memory beyond those of the empty
    process, bytes of each file that it writes."""

    cpu_seconds: int
    wall_seconds: float
    memory_bytes: int = 2 << 30
    file_bytes: int = 0


def get_ready(modules: Sequence[str]) -> None:
    """Start the server that children are forked from, with ``modules`` imported. The first call decides."""
    with _processes:
        _context.set_forkserver_preload(list(modules))
        if _roomy:
            forkserver.ensure_running()


def confined(
    field: str, bounds: Bounds, work: Callable[[], Result], go_on: Callable[[], object] = lambda: None
) -> Result:
    """Do ``work``, which must pickle, in a child; its result must pickle too. May be called from any thread.

    ``go_on`` is called every now and then; what it raises ends the child and comes out here.

    Raises:
        MouthpieceError: whatever of the tree ``work`` raised.
        BadInput: (``field``) it took too much time or memory, or the decoder crashed.
    """
    ours, theirs = Pipe(duplex=False)
    process = _context.Process(target=_serve, args=(theirs, bounds, work), daemon=True)
    with ours:
        with theirs, _processes:
            process.start()
        deadline = threading.Timer(bounds.wall_seconds, process.kill)
        deadline.start()
        try:
            answer = _answer(ours, go_on)
        finally:
            deadline.cancel()
            deadline.join()
            code = _ended(process)
    if answer is None:
        raise BadInput(field, _why(code))
    result, error = answer
    if error is not None:
        raise error
    return cast("Result", result)


def _answer(ours: Any, go_on: Callable[[], object]) -> tuple[Any, Exception | None] | None:
    """What the child sent over a connection, or nothing when it died. Checkers differ on its class."""
    while not ours.poll(_LOOK_SECONDS):
        go_on()
    try:
        return cast("tuple[Any, Exception | None]", ours.recv())
    except (EOFError, OSError):  # before its answer, or in the middle of it
        return None


def _ended(process: BaseProcess) -> int | None:
    """End the child if it still runs; how it ended, as `Process.exitcode`."""
    process.kill()
    with _processes:
        process.join()
        code = process.exitcode
        process.close()
    return code


def _why(code: int | None) -> str:
    log.warning("a child that decoded a file ended with %s", code)
    if code in (-signal.SIGXCPU, -signal.SIGKILL):
        return "takes too much time or memory to decode"
    if code == _NO_MEMORY:
        return "takes too much memory to decode"
    return "damaged in a way that makes the decoder fail"


# -------------------------------------------------------------------- in the child

_NO_MEMORY = 77


def _serve(theirs: Connection, bounds: Bounds, work: Callable[[], object]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends it
    _leave_network()
    _restrict(bounds)
    answer: tuple[object, Exception | None]
    try:
        answer = work(), None
    except MouthpieceError as error:
        answer = None, error
    except OSError as error:  # an empty disk is not the file's fault
        answer = None, OSError(error.errno, error.strerror)
    except MemoryError:
        raise SystemExit(_NO_MEMORY) from None
    theirs.send(answer)


def _restrict(bounds: Bounds) -> None:
    used = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
    _limit(resource.RLIMIT_AS, used + bounds.memory_bytes)
    _limit(resource.RLIMIT_FSIZE, bounds.file_bytes)
    _limit(resource.RLIMIT_NOFILE, _OPEN_FILES)
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_CPU, bounds.cpu_seconds)


def _limit(what: int, most: int) -> None:
    """Lower a limit for good; one that is lower already stays."""
    hard = resource.getrlimit(what)[1]
    most = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(what, (most, most))


def _leave_network() -> None:
    """Move into a network of its own, with nothing in it; some containers do not allow it."""
    unshare = ctypes.CDLL(None, use_errno=True).unshare
    if unshare(_NEW_NET) != 0 and unshare(_NEW_USER | _NEW_NET) != 0:
        log.debug("no network of its own: errno %d", ctypes.get_errno())
