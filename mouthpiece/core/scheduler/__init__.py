"""Who renders what, when: a deterministic state machine, events in and commands out.

The caller owns the clock and does what the commands say; the scheduler owns every decision. It never reads
a clock, does no I/O and draws no random numbers, so the gateway, the simulator and the tests drive one code.

    scheduler = Scheduler()
    scheduler.handle(0.0, WorkerUp("lipsync-0", (Offer("viseme", "1"),)))
    scheduler.handle(0.0, JobSubmitted("j1", "alice", "face", "viseme", "1", Fraction(25), 60))
                                                         # [Eta("j1", …)]: admitted
    scheduler.handle(0.4, SpeechGrew("j1", 60, final=True))
                                                         # [Render("j1", "a1", "lipsync-0", Span(0, 60), …), WakeAt(…)]
    scheduler.handle(3.1, ChunkDone("j1", "a1", Timings(0.5, 0.1, 2.1)))
                                                         # [Segment("j1", Span(0, 60)), Complete("j1")]

Commands are meant to be carried out in the order given. Time never runs backwards between calls.
"""
