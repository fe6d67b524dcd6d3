"""A PostgreSQL for tests: one server for a test process, one database for a test."""

from __future__ import annotations

import shutil
import tempfile
import uuid
import warnings
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

# Commits need not survive a power cut here; everything else is as in earnest.
_SETTINGS = ("fsync = off", "full_page_writes = off", "synchronous_commit = off")


@dataclass(frozen=True)
class Databases:
    """A server that makes databases."""

    server: Any

    def new_url(self) -> str:
        """A new, empty database."""
        name = f"t{uuid.uuid4().hex}"
        self.server.psql(f"CREATE DATABASE {name};")
        socket = self.server.get_uri().partition("host=")[2]
        return f"postgresql+asyncpg://postgres@/{name}?host={quote(socket, safe='')}"


@contextmanager
def postgres() -> Generator[Databases]:
    """A server inside the context; the test is skipped where the wheel does not run."""
    module = _import()
    folder = Path(tempfile.mkdtemp(prefix="mouthpiece-postgres-"))
    try:
        server = module.get_server(folder, cleanup_mode="stop")
    except (OSError, RuntimeError) as error:
        shutil.rmtree(folder, ignore_errors=True)
        pytest.skip(f"the PostgreSQL of pgserver does not start here: {error}")
    try:
        for setting in _SETTINGS:
            server.psql(f"ALTER SYSTEM SET {setting};")
        server.psql("SELECT pg_reload_conf();")
        yield Databases(server)
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


def _import() -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import pgserver
    except ImportError as error:
        pytest.skip(f"pgserver has no wheel for this platform: {error}")
    return pgserver
