"""What the scheduler is told, and what it wants done.

Every value is frozen and picklable. Durations are seconds, rates are frames per second, positions are frames
of one job. The moment at which an event happened is not part of it: it is given to `Scheduler.handle`.

An attempt is named by its job and an id that is unique within the job: ``a1``, ``a2``, … in the order in
which the attempts were begun. Each ends with exactly one of `ChunkDone`, `ChunkFailed` and `ChunkStopped`, or
with the `WorkerDown` of its worker. Events about jobs, workers or attempts that the scheduler does not know
(any more) are ignored, so late answers do no harm.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from fractions import Fraction

from mouthpiece.core.speech import CutMark
from mouthpiece.core.timeline import Span


class Mode(Enum):
    """How a job wants to be cut; the values are those of the API."""

    AUTO = "auto"
    """As many workers as pay for themselves, chunks as long as suits the load."""
    SINGLE = "single"
    """One worker, one chunk, begun when the speech is final. Only the engine's limit cuts it."""
    CHUNKED = "chunked"
    """Chunks of the wanted length on every worker that is free."""


class Fault(Enum):
    """Whose fault a failed attempt was, as far as its status tells."""

    NOBODY = "nobody"
    """The worker was full, loading or draining: nothing was begun. Not counted anywhere."""
    ATTEMPT = "attempt"
    """It failed here, another worker may succeed. Counted against the frames and against the worker."""
    WORKER = "worker"
    """The worker cannot be trusted: a wrong hash, a wrong number of frames, an endless stall. Counted against
    the frames; the worker is in quarantine at once."""
    JOB = "job"
    """The request itself is wrong; every worker would say the same. Ends the job."""


@dataclass(frozen=True, slots=True)
class Offer:
    """An engine that a worker has loaded.

    ``rate`` is what it measured itself, 0 when unknown. ``resumes`` tells that rendering on where it stopped
    costs it almost nothing; otherwise it gets fewer and longer chunks.
    """

    engine: str
    version: str
    rate: float = 0.0
    resumes: bool = True


@dataclass(frozen=True, slots=True)
class Timings:
    """Where the time of one attempt went, in seconds that do not overlap.

    ``prep`` to prepare the avatar (0 when it was warm), ``render`` to render and encode frames, ``setup``
    everything else between the command and its end: transfer, context, opening and closing.
    """

    prep: float
    setup: float
    render: float


# ---------------------------------------------------------------- events


@dataclass(frozen=True, slots=True)
class WorkerUp:
    """A worker can take chunks, or has changed what it offers.

    Replaces what was known of its offers and ends its draining; a chunk that it holds goes on. ``slots`` is
    how many chunks it renders at a time, ``warm`` the avatar keys that it has prepared. ``title`` is its
    name for people, where that is another one.
    """

    worker: str
    offers: tuple[Offer, ...]
    slots: int = 1
    warm: tuple[str, ...] = ()
    title: str = ""


@dataclass(frozen=True, slots=True)
class WorkerDraining:
    """A worker finishes what it holds and takes nothing new. `WorkerUp` ends it."""

    worker: str


@dataclass(frozen=True, slots=True)
class WorkerDown:
    """A worker is gone: its attempts have ended without a result, and their frames go to others.

    Counts as a failed attempt for each (a chunk may be what kills its workers). ``reason`` is for people.
    """

    worker: str
    reason: str = "the worker went away"


@dataclass(frozen=True, slots=True)
class JobSubmitted:
    """A job asks to be admitted. Answered at once: by `Refuse`, or by `Eta` when it is admitted.

    ``avatar`` is whatever names a prepared avatar: two jobs with equal keys share one preparation. Only
    workers that offer ``engine`` in exactly this ``version`` get its chunks. ``expected_frames`` is the
    likely length of the whole, corrected by `SpeechGrew`.

    ``chunk_frames`` is the wanted length of chunks in mode CHUNKED, 0 when the client named none.
    ``max_workers`` bounds how many render the job at a time (a hedged second attempt is not counted), 0 is no
    bound. ``max_chunk_frames`` is the engine's limit, 0 for none; ``max_chunk_seconds`` the longest that one
    attempt may take, 0 for none. A ``chained`` engine renders its chunks one after another.

    ``weight`` is the tenant's share. ``priority`` is a head start: the job is treated as if it had waited so
    many seconds already; negative sends it back.

    After a restart: ``restored`` admits the job whatever the queue, ``age`` is how long ago it was accepted,
    ``done`` holds the spans whose chunks are stored, disjoint (their `Segment` commands are given anew, from
    frame 0), ``attempts`` the highest attempt number that was used. ``stuck`` is for how many seconds nobody
    could render it by now, 0 when the last `Stuck` said that somebody can. ``published`` is as in
    `ChunkLost`; no span of ``done`` may cross it.
    """

    job: str
    tenant: str
    avatar: str
    engine: str
    version: str
    fps: Fraction
    expected_frames: int
    mode: Mode = Mode.AUTO
    chunk_frames: int = 0
    max_workers: int = 0
    max_chunk_frames: int = 0
    max_chunk_seconds: float = 0.0
    chained: bool = False
    weight: float = 1.0
    priority: float = 0.0
    restored: bool = False
    age: float = 0.0
    done: tuple[Span, ...] = ()
    attempts: int = 0
    stuck: float = 0.0
    published: int = 0


@dataclass(frozen=True, slots=True)
class SpeechGrew:
    """More of a job's speech exists.

    ``ready`` counts the frames from 0 that can be rendered now, in all; it never shrinks, and with ``final``
    it is the length of the video. ``marks`` are new places where a chunk may end, ascending; they may lie
    beyond ``ready``. The end of a final speech needs no mark. ``expected_frames`` corrects the likely length,
    0 leaves it.

    ``cached`` are chunks below ``ready`` that need no rendering because their artifacts exist. Each counts as
    done when all its frames are still free, and is ignored otherwise; `Segment` names those that were taken.
    The event may be repeated with the same ``ready`` to report cached chunks.
    """

    job: str
    ready: int
    marks: tuple[CutMark, ...] = ()
    final: bool = False
    expected_frames: int = 0
    cached: tuple[Span, ...] = ()


@dataclass(frozen=True, slots=True)
class ChunkProgressed:
    """An attempt has rendered ``frames_done`` frames so far. Shows that it lives, and how fast it is."""

    job: str
    attempt: str
    frames_done: int


@dataclass(frozen=True, slots=True)
class ChunkDone:
    """An attempt ended well and its artifact is stored. ``timings`` None: nothing can be learned from it,
    as when it came from the cache after all."""

    job: str
    attempt: str
    timings: Timings | None = None


@dataclass(frozen=True, slots=True)
class ChunkFailed:
    """An attempt ended without a result.

    ``retry_after`` is how long a worker that refused (`Fault.NOBODY`) wants to be left alone, in seconds;
    0 leaves it to the scheduler.
    """

    job: str
    attempt: str
    reason: str
    fault: Fault = Fault.ATTEMPT
    retry_after: float = 0.0


@dataclass(frozen=True, slots=True)
class ChunkStopped:
    """An attempt that `Abort` called off has stopped: its worker is free again."""

    job: str
    attempt: str


@dataclass(frozen=True, slots=True)
class ChunkLost:
    """The artifact of a chunk that was done, given as `Segment` or not, is damaged or gone.

    Its frames are rendered again, and `Segment` is given anew for it and for all behind it that had been
    given. Ignored when no chunk has exactly this ``span``. A job that is complete is forgotten: submit it
    again, ``restored``, with what is left of it as ``done``.

    ``published`` counts the frames from 0 that were shown to viewers: a chunk ends there again, however the
    others are cut now, so that viewers go on just where they are.
    """

    job: str
    span: Span
    published: int = 0


@dataclass(frozen=True, slots=True)
class JobCancelled:
    """A job is not wanted any more, or cannot go on for reasons outside rendering (its speech failed)."""

    job: str


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed. Due when `WakeAt` said; sending more of them is harmless."""


Event = (
    WorkerUp
    | WorkerDraining
    | WorkerDown
    | JobSubmitted
    | SpeechGrew
    | ChunkProgressed
    | ChunkDone
    | ChunkFailed
    | ChunkStopped
    | ChunkLost
    | JobCancelled
    | Tick
)

# ---------------------------------------------------------------- commands


@dataclass(frozen=True, slots=True)
class Render:
    """Begin an attempt: ``worker`` renders the frames ``span`` of ``job``.

    ``expected`` is how many seconds the scheduler thinks it takes. ``hedge`` names the running attempt that
    this one repeats because it is late; empty for a first attempt. The first of the two that is done wins.
    """

    job: str
    attempt: str
    worker: str
    span: Span
    expected: float
    hedge: str = ""


@dataclass(frozen=True, slots=True)
class Abort:
    """Call an attempt off. Its worker counts as busy until `ChunkStopped` (or another end) is reported."""

    job: str
    attempt: str


@dataclass(frozen=True, slots=True)
class Segment:
    """A finished chunk is next in playing order.

    Given once for each chunk, without gap from frame 0 on; `ChunkLost` takes that back. ``span`` is exactly
    that of a `Render`, of a cached chunk, or of one that was done before the restart.
    """

    job: str
    span: Span


@dataclass(frozen=True, slots=True)
class Complete:
    """Every frame of a final speech has been given as `Segment`. The scheduler forgets the job."""

    job: str


@dataclass(frozen=True, slots=True)
class Fail:
    """A job cannot be rendered; ``reason`` names workers and what they said. The scheduler forgets the job;
    its running attempts are aborted in the same answer.

    ``stuck`` tells for how many seconds nobody could render it when that is why; ``reason`` is as in `Stuck`.
    """

    job: str
    reason: str
    stuck: float = 0.0


@dataclass(frozen=True, slots=True)
class Stuck:
    """For ``seconds`` now no worker could render a job: none offers its engine, or those that do refuse.

    ``reason`` is what those say, empty when there are none. It goes on by itself; `Fail` ends it otherwise.
    Zero seconds: somebody can again.
    """

    job: str
    seconds: float
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Refuse:
    """There is no room for a job that was submitted; there should be after ``retry_after`` seconds."""

    job: str
    retry_after: float


@dataclass(frozen=True, slots=True)
class Eta:
    """What to expect of a job: seconds from now to its first segment (0 when that is out) and to its end.

    ``ahead`` counts the jobs that are before it and wait like it, 0 once it has begun. Given when a job is
    admitted, for every job once a second (`WakeAt` sees to that), and in between when its speech grows or
    something is heard of one of its chunks, unless there are many jobs.
    """

    job: str
    first: float
    done: float
    ahead: int = 0


@dataclass(frozen=True, slots=True)
class WakeAt:
    """Send a `Tick` at ``at``, on the clock of `Scheduler.handle`. Replaces an earlier one."""

    at: float


Command = Render | Abort | Segment | Complete | Fail | Stuck | Refuse | Eta | WakeAt

# ---------------------------------------------------------------- hints


@dataclass(frozen=True, slots=True)
class Prepare:
    """Let an idle worker prepare the avatar of a job whose speech is still being made. Needs no answer."""

    job: str
    worker: str
