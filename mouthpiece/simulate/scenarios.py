"""What is simulated: clusters, loads, faults."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from random import Random

from mouthpiece.errors import BadInput
from mouthpiece.simulate.workload import LONG, Arrival, Mixture, SizeClass, arrival, arrivals
from mouthpiece.simulate.world import Cluster, Faults

LOADS = {"light": 0.2, "medium": 0.5, "heavy": 0.8, "overload": 1.2}
"""Video that is asked for, as a part of what all workers together can render without any overhead."""
SIZES = (1, 2, 4, 8, 16, 32, 64)
UNEQUAL = (0.4, 0.5, 0.7, 1.0, 1.0, 1.2, 1.6, 1.6)
"""Eight workers that are together as fast as eight equal ones."""
_TEN_MINUTES = SizeClass("ten minutes", 1.0, 600.0, 600.0)


@dataclass(frozen=True, slots=True)
class Scenario:
    """Jobs that come to a cluster. One that comes alone has the load 0."""

    group: str
    name: str
    cluster: Cluster
    load: float
    jobs: int = 400
    mixture: Mixture = field(default_factory=Mixture)

    def arrivals(self, seed: int) -> list[Arrival]:
        """The jobs, the same for every policy."""
        random = Random(seed)
        if not self.load:
            return [arrival(random, self.mixture, "j00000", 0.0, self.mixture.classes[0])]
        per_second = self.load * sum(self.cluster.speeds) / self.mixture.mean
        return arrivals(random, self.mixture, self.jobs, per_second)


def equal(workers: int, speed: float = 1.0, faults: Faults | None = None, *, resumes: bool = True) -> Cluster:
    """Workers that are all alike."""
    return Cluster((speed,) * workers, faults=faults or Faults(), resumes=resumes)


def _lone(workers: int) -> Scenario:
    mixture = Mixture((_TEN_MINUTES,), speech_pace=0.005)
    return Scenario("alone", f"alone-{workers}", equal(workers), 0.0, 1, mixture)


def _catalogue() -> Iterator[Scenario]:
    for load in (0.05, 0.2, 0.4, 0.6, 0.8, 0.95, 1.2):
        yield Scenario("load", f"load-{load:g}", equal(8), load, 2000)
    for workers in SIZES:
        for name, load in LOADS.items():
            yield Scenario("size", f"{workers}-{name}", equal(workers), load, max(200, 10 * workers))
    yield Scenario("speed", "unequal-light", Cluster(UNEQUAL), 0.2)
    yield Scenario("speed", "unequal-heavy", Cluster(UNEQUAL), 0.8)
    yield Scenario("speed", "slow", equal(8, 0.3), 0.5)
    yield Scenario("speed", "fast", equal(8, 3.0), 0.5)
    yield Scenario("speed", "no-resuming", equal(8, resumes=False), 0.5)
    for name, faults in FAULTS.items():
        yield Scenario("faults", name, equal(8, faults=faults), 0.5)
    yield Scenario("faults", "tenfold-slower", Cluster((0.1, *(1.0,) * 7)), 0.5)
    for load in (0.05, 0.4, 0.7):
        yield Scenario("long", f"long-{load:g}", equal(8), load, 80, Mixture((LONG,)))
    yield Scenario("tenants", "flood", equal(8), 0.9, mixture=Mixture(flood=0.8))
    for workers in (1, 8, 32, 64):
        yield _lone(workers)


FAULTS = {
    "crashes": Faults(crash=0.02),
    "stragglers": Faults(straggle=0.03),
    "freezes": Faults(freeze=0.01),
    "always-failing": Faults(broken=1),
}
SCENARIOS = {scenario.name: scenario for scenario in _catalogue()}
GROUPS = tuple(dict.fromkeys(scenario.group for scenario in SCENARIOS.values()))
QUICK = ("load-0.2", "load-0.8", "stragglers", "alone-8")
QUICK_JOBS = 60


def choose(names: Sequence[str]) -> list[Scenario]:
    """Scenarios by their own names and those of groups, all without names. Raises `BadInput`."""
    for name in names:
        if name not in SCENARIOS and name not in GROUPS:
            known = ", ".join((*GROUPS, *SCENARIOS))
            raise BadInput("scenario", f"there is no {name}; known are {known}")
    found = SCENARIOS.values()
    return [one for one in found if not names or one.name in names or one.group in names]
