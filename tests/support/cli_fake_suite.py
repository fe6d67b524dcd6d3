"""A suite of two services that do nothing.

Also a program, for tests that kill it: `python -m tests.support.cli_fake_suite FOLDER` prints the process
ids of its services and waits for SIGTERM or its end.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from mouthpiece.suite import Machine, OnChange, ServicePlan, Suite, SuiteConfig
from mouthpiece.suite.layout import Stage

MACHINE = Machine(cores=1, gpus=())


def fake_suite(
    data: Path,
    *,
    moods: dict[str, str] | None = None,
    on_change: OnChange | None = None,
    grpc_port: int = 0,
    drain_seconds: float = 20.0,
) -> Suite:
    """A suite of `front`, which is its gateway, and `inner`, each in its mood."""

    def layout(_machine: Machine, ports: Sequence[int]) -> list[ServicePlan]:
        return [
            _plan("inner", ports[3], Stage.INNER, (moods or {}).get("inner", "")),
            _plan("front", ports[1], Stage.FRONT, (moods or {}).get("front", "")),
        ]

    config = SuiteConfig(data, grpc_port=grpc_port, drain_seconds=drain_seconds, http_port=0)
    return Suite(config, machine=MACHINE, on_change=on_change, layout=layout)


def _plan(name: str, port: int, stage: Stage, mood: str) -> ServicePlan:
    environment = {"FAKE_PORT": str(port), "FAKE_MOOD": mood}
    return ServicePlan(name, "tests.support.cli_fake_service", port, environment, stage)


def pids(suite: Suite) -> list[int]:
    """Process ids of the services that run."""
    return [service.child.pid for service in suite.services if service.child]


def alive(pid: int) -> bool:
    """Whether a process exists and is no zombie."""
    try:
        os.kill(pid, 0)
        return "Z" not in Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]
    except (ProcessLookupError, FileNotFoundError):
        return False


async def _main(data: Path) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with fake_suite(data) as suite:
        print(*pids(suite), flush=True)
        await stop.wait()


if __name__ == "__main__":
    asyncio.run(_main(Path(sys.argv[1])))
