"""Policies compared: every scenario under every policy with every seed, spread over processes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from math import inf
from multiprocessing import get_context

from mouthpiece.core.scheduler import Scheduler
from mouthpiece.simulate.bound import ideal_mean
from mouthpiece.simulate.metrics import Figures, Sample, measure, sample
from mouthpiece.simulate.rivals import ChunkQueue, EqualSplit, IdleShare, WorkerPerJob
from mouthpiece.simulate.scenarios import Scenario
from mouthpiece.simulate.world import Policy, World
from mouthpiece.suite.machine import usable_cores

OURS = "tape"
POLICIES: dict[str, Callable[[], Policy]] = {
    OURS: Scheduler,
    "equal-split": EqualSplit,
    "worker-per-job": WorkerPerJob,
    "idle-share": IdleShare,
    "chunk-queue": ChunkQueue,
}


@dataclass(frozen=True, slots=True)
class Task:
    """One run: a scenario under a policy (by name) with a seed."""

    scenario: Scenario
    policy: str
    seed: int


@dataclass(frozen=True, slots=True)
class Result:
    """A scenario under a policy, all seeds together."""

    scenario: Scenario
    policy: str
    figures: Figures


def live(task: Task, until: float = inf) -> World:
    """Let a run happen, to its end or to a moment."""
    arrivals = task.scenario.arrivals(task.seed)
    world = World(task.scenario.cluster, arrivals, POLICIES[task.policy](), task.seed)
    world.run(until)
    return world


def run(task: Task) -> Sample:
    """The figures of a run."""
    world = live(task)
    records = list(world.records.values())
    ideal = ideal_mean([one.arrival for one in records], sum(task.scenario.cluster.speeds))
    return sample(records, world.lanes, ideal)


def study(
    scenarios: Sequence[Scenario], policies: Sequence[str], seeds: int, ran: Callable[[int, int], None]
) -> list[Result]:
    """Run everything on all cores; ``ran`` hears how many of how many runs are over."""
    tasks = [
        Task(scenario, policy, seed)
        for scenario in scenarios
        for policy in policies
        for seed in range(1, seeds + 1)
    ]
    samples: dict[Task, Sample] = {}
    for task, made in _run_all(tasks):
        samples[task] = made
        ran(len(samples), len(tasks))
    grouped: dict[tuple[Scenario, str], list[Sample]] = {}
    for task in tasks:
        grouped.setdefault((task.scenario, task.policy), []).append(samples[task])
    return [Result(scenario, policy, measure(found)) for (scenario, policy), found in grouped.items()]


def _run_all(tasks: Sequence[Task]) -> Iterator[tuple[Task, Sample]]:
    """The longest first, so that no core is left with one at the end."""
    ordered = sorted(tasks, key=lambda task: -len(task.scenario.cluster.speeds) * task.scenario.jobs)
    with ProcessPoolExecutor(min(usable_cores(), len(tasks)), get_context("spawn")) as pool:
        futures = {pool.submit(run, task): task for task in ordered}
        for future in as_completed(futures):
            yield futures[future], future.result()
