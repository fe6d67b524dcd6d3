"""Who works for whom: the order of jobs, and how many heads each deserves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import ceil, sqrt

from mouthpiece.core.scheduler.state import Head, Job, State

_STEEPNESS = 1.5
"""How sharply short and long jobs differ."""
_FULL = 0.9
"""A cluster is never thought to be given more than this part of what it can do."""


def weigh(state: State, job: Job) -> None:
    """Note what is left of a job, and how long it is among others: from 0, short, to 1, long."""
    job.work = state.seconds_left(job)
    times = (job.work / state.tuning.long_work) ** _STEEPNESS
    job.length = times / (1 + times)


def ranked(state: State) -> list[Job]:
    """The jobs in the order in which they are served: when they came, long ones later.

    Seniority against shortest remaining work first. Long ones are all much alike, so among themselves they go
    by age; others pass them for a bounded time, which grows with what waits: the busier the cluster, the more
    jobs wait for each that goes first.
    """
    longest = passing(state)
    for job in state.jobs.values():
        job.rank = (job.born + longest * job.length, job.spec.job)
    return sorted(state.jobs.values(), key=_rank_of)


def passing(state: State) -> float:
    """Whoever comes so many seconds later than another is not served before it."""
    return max(state.tuning.least_passing, state.tuning.passing * _backlog(state))


def birth(state: State, job: Job) -> float:
    """When a job counts as come: later, the more work its tenant already has here that is no larger.

    The largest of that is free: a second job is no flood.
    """
    size = state.seconds_left(job)
    others = [
        state.seconds_left(other) for other in state.jobs.values() if other.spec.tenant == job.spec.tenant
    ]
    smaller = [left for left in others if left <= size]
    heads = max(state.pool(job.engine).heads, 1)
    queued = (sum(smaller) - max(smaller, default=0.0)) / heads
    waited = job.spec.age + job.spec.priority
    return state.now - waited + state.tuning.tenant_weight * queued / job.spec.weight


def to_come(state: State) -> float:
    """How many jobs will probably come while the present work lasts."""
    heads = max(state.heads_alive, 1)
    inflow = min(state.inflow / heads, _FULL)
    return state.tuning.foresight * state.arrivals * _backlog(state) / (1 - inflow)


def shares(state: State, order: Sequence[Job]) -> dict[str, int]:
    """How many heads each job deserves.

    A job gets one more head while that saves it more time than it costs all jobs behind it, those expected
    to come included. What is left over is then handed out as if nobody were behind.
    """
    rest = state.heads_alive
    coming = to_come(state)
    given = dict.fromkeys((job.spec.job for job in order), 0)
    for place, job in enumerate(order):
        if rest <= 0:
            break
        behind = len(order) - 1 - place
        given[job.spec.job] = min(worth(state, job, behind + coming), rest)
        rest -= given[job.spec.job]
    for job in order:
        if rest <= 0:
            break
        most = _most(state, job) if job.fixed_length else worth(state, job, coming)
        more = min(max(most - given[job.spec.job], 0), rest)
        given[job.spec.job] += more
        rest -= more
    return given


def _backlog(state: State) -> float:
    """Seconds that the whole cluster needs for all that waits."""
    return sum(job.work for job in state.jobs.values()) / max(state.heads_alive, 1)


def _rank_of(job: Job) -> tuple[float, str]:
    return job.rank


def _most(state: State, job: Job) -> int:
    return _room(state, job, state.pool(job.engine).heads, state.seconds_left(job))


def _room(state: State, job: Job, heads: int, left: float) -> int:
    heads = min(heads, ceil(left / state.tuning.least_chunk))
    return max(1, min(job.most_heads, heads) if job.most_heads else heads)


def worth(state: State, job: Job, others: float) -> int:
    """The most heads of which each saves more than it costs ``others`` jobs."""
    pool = state.pool(job.engine)
    left = job.left / (pool.rate * job.pace.value)
    most = _room(state, job, pool.heads, left)
    if most == 1:
        return 1
    costs = state.costs_of(job.engine)
    gain = left * max(pool.heads, 1)
    ready = state.ready(job.spec.avatar)
    steps = ((job.heads, costs.resume), (ready, costs.start(warm=True)), (most, costs.start(warm=False)))
    heads = 1
    for available, cost in steps:
        if heads < available:
            heads = max(heads, min(available, _pays(gain, others * cost)))
    return min(heads, most)


def _pays(gain: float, price: float) -> int:
    """The greatest m for which the m-th head pays: gain / ((m - 1) · m) > price."""
    if price <= 0:
        return 1_000_000
    return max(1, ceil((sqrt(1 + 4 * gain / price) - 1) / 2))


def repulsion(state: State, job: Job, heads: Sequence[Head]) -> Iterator[float]:
    """How little a job suits each of some free heads: its rank, and what it costs to have it done there."""
    tuning, costs, avatar, engine = state.tuning, state.costs_of(job.engine), job.spec.avatar, job.engine
    warm, cold = (tuning.switch_weight * costs.start(warm=known) for known in (True, False))
    share = tuning.speed_weight * job.left / (job.heads + 1) / job.pace.value
    base = job.rank[0] - share / state.pool(engine).rate
    for head in heads:
        worker = head.worker
        yield base + (warm if avatar in worker.warm else cold) + share / worker.rates[engine].value
