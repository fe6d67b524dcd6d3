"""What holds for all tests."""

from __future__ import annotations

import pytest
from hypothesis import settings
from xdist.remote import Producer  # type: ignore[import-untyped]
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

# How long an example takes says how busy the machine is, not whether the code is right.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")

TOGETHER = (
    *("tests/end_to_end/", "tests/faults/", "tests/page/", "tests/postgres/"),
    "tests/monitoring/test_real_prometheus.py",
)
"""Whose tests share suites of real processes, or a server: one test process runs all of each."""


class _ByFolder(LoadScopeScheduling):  # type: ignore[misc] # xdist is untyped
    """Spreads tests, but keeps those of some folders together. (The marks for that, xdist_group, do nothing
    with xdist 3.8 on pytest 9.2.)"""

    def _split_scope(self, nodeid: str) -> str:
        return next((folder for folder in TOGETHER if nodeid.startswith(folder)), nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling:
    return _ByFolder(config, log)
