"""The command line with a suite of its own: every process is real."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

from mouthpiece.core.timeline import SPEECH_RATE, frame_count
from mouthpiece.media.probe import frame_times


def test_one_call_brings_up_a_suite_makes_a_video_and_leaves_nothing_running(tmp_path: Path) -> None:
    out, stats, scratch = tmp_path / "out.mp4", tmp_path / "out.json", tmp_path / "scratch"
    scratch.mkdir()
    command = [sys.executable, "-m", "mouthpiece.cli.main", "generate", "--start", "--text", "Hello there."]
    command += ["--width", "128", "--quality", "low", "-o", str(out), "--stats", str(stats)]
    environment = {**os.environ, "TMPDIR": str(scratch)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr
    told = json.loads(stats.read_text())
    wanted = frame_count(round(told["speech_seconds"] * SPEECH_RATE), Fraction(told["fps"]))
    assert len(frame_times(out)) == told["frames"] == wanted
    assert list(scratch.iterdir()) == []
