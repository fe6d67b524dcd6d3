"""Programs that tests of the command line talk to."""

from __future__ import annotations

import json
import subprocess
import sys
from types import TracebackType
from typing import Self


class FakeProgram:
    """A fake gateway in a process of its own, with knobs by name."""

    def __init__(self, **knobs: object) -> None:
        command = [sys.executable, "-m", "tests.support.cli_fake_gateway", json.dumps(knobs)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.address = self._process.stdout.readline().strip()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> list[str]:
        """End it and return the names of the calls that it got."""
        calls, _ = self._process.communicate(timeout=30)
        return calls.splitlines()
