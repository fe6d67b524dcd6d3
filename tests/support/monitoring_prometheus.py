"""A real Prometheus on loopback, which scrapes services every second."""

from __future__ import annotations

import math
import shutil
import subprocess
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import yaml

from mouthpiece.suite.ports import pick

PROMETHEUS = shutil.which("prometheus")
PATIENCE = 60.0


@dataclass(frozen=True)
class Prometheus:
    """One that runs."""

    http: httpx.Client

    def ask(self, query: str) -> list[float]:
        """The values that a query has now, but for those that are no number."""
        answer = self.http.get("/api/v1/query", params={"query": query}).raise_for_status().json()
        values = [float(series["value"][1]) for series in answer["data"]["result"]]
        return [value for value in values if math.isfinite(value)]

    def wait_for(self, query: str, fine: Callable[[Sequence[float]], bool]) -> None:
        """Return when the values of a query are as they should be."""
        until = time.monotonic() + PATIENCE
        while not fine(self.ask(query)):
            assert time.monotonic() < until, f"{query} is {self.ask(query)}"
            time.sleep(0.2)


@contextmanager
def prometheus(folder: Path, targets: Mapping[str, int], rules: Path) -> Generator[Prometheus]:
    """Scrape these ports of this machine, by the names of their services."""
    assert PROMETHEUS is not None
    config = folder / "prometheus.yaml"
    jobs = [
        {"job_name": name, "static_configs": [{"targets": [f"127.0.0.1:{port}"]}]}
        for name, port in targets.items()
    ]
    every = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    config.write_text(yaml.safe_dump({"global": every, "rule_files": [str(rules)], "scrape_configs": jobs}))
    (port,) = pick([0])
    command = [
        PROMETHEUS,
        f"--config.file={config}",
        f"--storage.tsdb.path={folder / 'series'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with (folder / "prometheus.log").open("wb") as log, subprocess.Popen(command, stderr=log) as process:
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=10) as http:
                _wait_until_ready(http)
                yield Prometheus(http)
        finally:
            process.terminate()


def _wait_until_ready(http: httpx.Client) -> None:
    until = time.monotonic() + PATIENCE
    while True:
        try:
            if http.get("/-/ready").is_success:
                return
        except httpx.TransportError:
            assert time.monotonic() < until, "Prometheus does not answer"
        time.sleep(0.1)
