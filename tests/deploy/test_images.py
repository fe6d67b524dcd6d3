"""What goes into the images."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SERVICES = ("gateway", "tts", "lipsync", "merger")


def locked(service: str) -> set[str]:
    """Distributions of a service's image."""
    text = (ROOT / "requirements" / f"{service}.lock").read_text(encoding="utf-8")
    return {_canonical(name) for name in re.findall(r"^([A-Za-z0-9._-]+)==", text, re.MULTILINE)}


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@cache
def owners() -> Mapping[str, list[str]]:
    """Distributions by the packages that they bring; to look through all takes seconds."""
    return packages_distributions()


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_imports_nothing_that_its_image_lacks(service: str) -> None:
    code = (
        f"import sys; before = set(sys.modules); import services.{service}.__main__\n"
        "print(*{name.partition('.')[0] for name, module in sys.modules.items()"
        " if name not in before and 'site-packages' in (getattr(module, '__file__', None) or '')})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    imported = {_canonical(owner) for name in done.stdout.split() for owner in owners().get(name, ())[:1]}
    assert "grpcio" in imported
    assert imported <= locked(service)
