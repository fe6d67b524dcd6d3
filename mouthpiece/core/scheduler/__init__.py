"""Who renders what, when: a deterministic state machine, events in and commands out.

The caller owns the clock and does what the commands say; the scheduler owns every decision. It never reads
a clock, does no I/O and draws no random numbers, so the gateway, the simulator and the tests drive one code.

    scheduler = Scheduler()
    scheduler.handle(0.0, WorkerUp("lipsync-0", (Offer("viseme", "1"),)))
    scheduler.handle(0.0, JobSubmitted("j1", "alice", "face", "viseme", "1", Fraction(25), 60))
        # Eta("j1", …): it is admitted
    scheduler.handle(0.4, SpeechGrew("j1", 60, final=True))
        # Render("j1", "a1", "lipsync-0", Span(0, 60), …), WakeAt(…)
    scheduler.handle(3.1, ChunkDone("j1", "a1", Timings(0.5, 0.1, 2.1)))
        # Segment("j1", Span(0, 60)), Complete("j1")

Commands are meant to be carried out in the order given. Time never runs backwards between calls.
"""

from mouthpiece.core.scheduler.events import (
    Abort,
    ChunkDone,
    ChunkFailed,
    ChunkLost,
    ChunkProgressed,
    ChunkStopped,
    Command,
    Complete,
    Eta,
    Event,
    Fail,
    Fault,
    JobCancelled,
    JobSubmitted,
    Mode,
    Offer,
    Prepare,
    Refuse,
    Render,
    Segment,
    SpeechGrew,
    Stuck,
    Tick,
    Timings,
    WakeAt,
    WorkerDown,
    WorkerDraining,
    WorkerUp,
)
from mouthpiece.core.scheduler.scheduler import Scheduler
from mouthpiece.core.scheduler.tuning import Tuning

__all__ = [
    "Abort",
    "ChunkDone",
    "ChunkFailed",
    "ChunkLost",
    "ChunkProgressed",
    "ChunkStopped",
    "Command",
    "Complete",
    "Eta",
    "Event",
    "Fail",
    "Fault",
    "JobCancelled",
    "JobSubmitted",
    "Mode",
    "Offer",
    "Prepare",
    "Refuse",
    "Render",
    "Scheduler",
    "Segment",
    "SpeechGrew",
    "Stuck",
    "Tick",
    "Timings",
    "Tuning",
    "WakeAt",
    "WorkerDown",
    "WorkerDraining",
    "WorkerUp",
]
