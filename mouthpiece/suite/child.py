"""`python -m mouthpiece.suite.child MODULE`: runs a module, and ends with the process that started it.

Standard input is a pipe whose other end only the supervisor holds. However that process ends, kill -9
included, the pipe closes, and nothing is left running behind it.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
import threading
import time

ORPHAN_SECONDS = 5.0
"""What an abandoned service gets to end by itself."""


def main() -> None:
    """Run the module named on the command line as the main program."""
    lifeline = os.dup(0)
    os.set_inheritable(lifeline, False)
    threading.Thread(target=_end_with_parent, args=(lifeline,), name="lifeline", daemon=True).start()
    module = sys.argv.pop(1)
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def _end_with_parent(lifeline: int) -> None:
    while os.read(lifeline, 64):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(ORPHAN_SECONDS)
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main()
