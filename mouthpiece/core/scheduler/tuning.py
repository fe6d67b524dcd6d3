"""The numbers of the policy."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Tuning:
    """What simulation found best. Seconds unless said otherwise."""

    passing: float = 2.0
    """A long job is passed by shorter ones that come later by at most so many times as long as the whole
    cluster needs for all that waits,"""
    least_passing: float = 800.0
    """or by this, if that is more."""
    long_work: float = 150.0
    """Remaining work, at the mean speed of one worker, that is neither short nor long."""
    tenant_weight: float = 2.0
    """Seconds of seniority that a job loses for each second the whole cluster needs for its tenant's other
    jobs of at most its size, but the largest."""
    speed_weight: float = 10.0
    """Seconds of seniority that one second of rendering is worth when a worker chooses its job,"""
    switch_weight: float = 9.0
    """and one second of starting."""
    foresight: float = 0.5
    """How many of the jobs that will probably come while the present work lasts are thought of."""
    memory: float = 300.0
    """Time over which arrivals are averaged."""

    first_render: float = 1.0
    """Render time of the first chunk of a job."""
    first_speech: float = 1.5
    """Longest speech in the first chunk of a job."""
    least_chunk: float = 1.0
    """Least render time of other chunks."""
    thrift: float = 20.0
    """A chunk takes at least so many times as long as the next one's start costs."""
    most_chunk: float = 8.0
    """Greatest render time of a chunk; less with fewer than 16 workers, so that one is free soon."""
    most_chunk_fresh: float = 60.0
    """The same for workers that cannot resume."""
    least_saving: float = 0.3
    """A run is split only when that saves so much."""

    late_factor: float = 3.0
    """An attempt is late when it takes so many times as long as expected,"""
    late_slack: float = 2.0
    """and so much more."""
    idle_late_factor: float = 1.2
    """The same when a worker has nothing else to do."""
    idle_late_slack: float = 0.5

    most_failures: int = 3
    """Workers that must fail on a frame before its job fails; attempts, where fewer workers live."""
    busy_pause: float = 1.0
    """How long a worker that refused is left alone."""
    first_pause: float = 1.0
    """Quarantine after a failure; doubles with each further one in a row,"""
    most_pause: float = 300.0
    """up to this."""
    fault_pause: float = 30.0
    """Least quarantine of a worker that cannot be trusted."""

    most_stuck: float = 3600.0
    """A job fails when no worker could render with its engine for so long."""

    queue_seconds: float = 3600.0
    """A job is refused while the whole cluster needs longer than this for those before it."""
    queue_jobs: int = 1000
    """Most jobs at a time."""
    eta_every: float = 1.0
    """Time between estimates; 0 gives none but the first."""

    prep: float = 3.0
    """Expected costs until some were measured."""
    setup: float = 0.5
    resume: float = 0.05
    rate: float = 25.0
    """Frames per second."""
    speech_rate: float = 5.0
    """Seconds of speech that are synthesised in a second,"""
    speech_piece: float = 3.0
    """and that come at a time, for each job until some have come."""
    warm_avatars: int = 8
    """How many prepared avatars a worker is thought to keep."""
