from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass

import pytest

from mouthpiece.cli.console import err, out
from mouthpiece.cli.main import main
from tests.support.cli_programs import FakeProgram


@dataclass(frozen=True)
class Result:
    """How a command ended, and what it wrote."""

    code: int
    out: str
    err: str


Run = Callable[..., Result]


@pytest.fixture(autouse=True)
def _plain_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "110")
    monkeypatch.delenv("MOUTHPIECE_GATEWAY", raising=False)
    for console in (out, err):  # whose width is that of the first use
        console.cache_clear()


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command in this process."""

    def run_command(*arguments: str) -> Result:
        code = main(arguments)
        written = capsys.readouterr()
        return Result(code, written.out, written.err)

    return run_command


@pytest.fixture(scope="module")
def program() -> Generator[FakeProgram]:
    """A gateway that does all it is asked, for a whole module."""
    with FakeProgram() as fake:
        yield fake


@pytest.fixture
def gateway(program: FakeProgram, monkeypatch: pytest.MonkeyPatch) -> str:
    """Its address, which commands use by themselves."""
    monkeypatch.setenv("MOUTHPIECE_GATEWAY", program.address)
    return program.address
