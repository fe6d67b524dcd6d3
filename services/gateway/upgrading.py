"""Jobs whose engine is nowhere any more: workers were upgraded while they ran.

Frames of two versions of an engine do not fit together, so a job keeps to the version that it began with.
When no worker has had that for a while, but some have another one, the job is rendered anew with that; its
speech stays.
"""

from __future__ import annotations

import asyncio
import time

from mouthpiece.core.engines import EngineInfo
from services.gateway.director import Director
from services.gateway.fleet import Fleet

LOOK_EVERY = 1.0

Version = tuple[str, str]
"""An engine's name and version."""


class Absences:
    """Since when versions that jobs need have been missing. Pure: it is told the time."""

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._since: dict[Version, float] = {}

    def given_up(self, now: float, needed: set[Version], offered: set[Version]) -> set[Version]:
        """Versions that are needed and that nobody has offered for as long as patience lasts."""
        missing = needed - offered
        self._since = {version: self._since.get(version, now) for version in missing}
        return {version for version, since in self._since.items() if now - since >= self._patience}


class Upgrading:
    """Looks at the jobs of a director once a second."""

    def __init__(self, fleet: Fleet, director: Director, patience: float) -> None:
        self._fleet = fleet
        self._director = director
        self._absences = Absences(patience)

    async def run(self) -> None:
        """Look, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_EVERY)
            await self._look()

    async def _look(self) -> None:
        runs = [run for run in self._director.runs.values() if not run.complete]
        offered = {_version(engine) for engine in self._fleet.all_engines()}
        given_up = self._absences.given_up(time.monotonic(), {_version(run.engine) for run in runs}, offered)
        newest = self._fleet.engines()
        for run in runs:
            done = run.complete or run.ended  # by now: to change another one took its time
            if not done and _version(run.engine) in given_up and run.engine.name in newest:
                await self._director.change_engine(run, newest[run.engine.name])


def _version(engine: EngineInfo) -> Version:
    return engine.name, engine.version
