"""Going over from one place of an avatar's motion to another, unseen.

Where a job has a crossing, the same speech is rendered at both places for part of a second, and one picture
turns into the other: pixels move along the optical flow between the two while they fade. That happens at the
moment of the crossing at which both places of the avatar's clip look most alike. In a clip that plays to and
fro there often is one where they meet.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, cast

import cv2
import numpy as np
import numpy.typing as npt

from mouthpiece.core.motion import Crossing, Run, runs, samples_in, transition_frames
from mouthpiece.core.timeline import Span, clip_index
from services.lipsync.avatar import Avatar
from services.lipsync.avatar.color import chroma_planes
from services.lipsync.engine import Engine, Frame, RenderTask
from services.lipsync.gate import cells_of

Flow = npt.NDArray[np.float32]
"""Where pixels of one picture are in another: (rows, columns, 2), in pixels, x before y."""

_FLOW_SIDE = 640
"""Pixels of the longer side at which flow is looked for: faces move by much more than a pixel there."""


def moment(crossing: Crossing, avatar: Avatar, fps: Fraction) -> Span:
    """Frames of a crossing in which one picture turns into the other; its last ones for a portrait.

    The crossing counts along the motion that is shown before it.
    """
    length = transition_frames(fps)
    last = crossing.frames.end - length
    if avatar.frames == 1:
        return Span(last, crossing.frames.end)
    ahead = Span(crossing.frames.first + crossing.by, crossing.frames.end + crossing.by)
    pairs = (
        (clip_index(before, avatar.frames), clip_index(after, avatar.frames))
        for before, after in zip(crossing.frames, ahead, strict=True)
    )
    apart = [_difference(avatar, *pair) for pair in pairs]
    both_seen = [share * (1 - share) for share in shares(length)]
    costs = np.convolve(apart, both_seen, "valid")
    first = last - int(np.argmin(costs[::-1]))
    return Span(first, first + length)


def _difference(avatar: Avatar, one: int, other: int) -> float:
    """Mean difference of two frames of a clip, in levels."""
    if one == other:
        return 0.0
    return float(np.abs(cells_of(avatar.frame_i420(one)) - cells_of(avatar.frame_i420(other))).mean())


def shares(length: int) -> list[float]:
    """How much of the second picture each frame of a transition shows: rises smoothly between 0 and 1."""
    places = (Fraction(number, length + 1) for number in range(1, length + 1))
    return [float(x * x * (3 - 2 * x)) for x in places]


@dataclass(frozen=True, slots=True)
class Motion:
    """Which motion the frames of a task show: runs that overlap in ``transitions``."""

    runs: tuple[Run, ...]
    transitions: tuple[Span, ...]

    @classmethod
    def of(cls, frames: Span, crossings: Sequence[Crossing], avatar: Avatar, fps: Fraction) -> Motion:
        """The motion of ``frames``, which is their own number but for the ``crossings``."""
        found: list[tuple[Span, int]] = []
        for crossing in crossings:
            ahead = sum(by for _, by in found)
            found.append((moment(crossing.shift(ahead), avatar, fps).shift(-ahead), crossing.by))
        return cls(tuple(runs(frames, found)), tuple(span for span, _ in found))

    def at(self, frame: int) -> list[int]:
        """The motion that a frame shows; two in a transition."""
        return [frame + run.by for run in self.runs if run.frames.first <= frame < run.frames.end]

    def share(self, frame: int) -> float:
        """How much of the second picture a frame of a transition shows."""
        span = next(span for span in self.transitions if span.first <= frame < span.end)
        return shares(len(span))[frame - span.first]


def render_motion(engine: Engine[Any], prepared: Any, task: RenderTask, motion: Motion) -> Generator[Frame]:
    """The frames of a task by an engine, run by run, as far as it makes them."""
    if not motion.transitions:
        yield from engine.render(prepared, task)
        return
    with ExitStack() as stack:
        opened: dict[Run, Iterator[Frame]] = {}

        def shown(run: Run) -> Frame | None:
            if run not in opened:
                frames = cast("Generator[Frame]", engine.render(prepared, _task_of(run, task)))
                opened[run] = stack.enter_context(closing(frames))
            return next(opened[run], None)

        for number in task.frames:
            found = [shown(run) for run in motion.runs if run.frames.first <= number < run.frames.end]
            match found:
                case [np.ndarray() as frame]:
                    yield frame
                case [np.ndarray() as one, np.ndarray() as other]:
                    yield morph(one, other, motion.share(number))
                case _:
                    return


def _task_of(run: Run, task: RenderTask) -> RenderTask:
    """The task of one run: its frames and its speech where the motion is."""
    speech = task.speech.shift(samples_in(run.by, task.fps))
    return replace(task, frames=run.frames.shift(run.by), speech=speech)


def morph(one: Frame, other: Frame, share: float) -> Frame:
    """A picture on the way from one I420 frame to another: all of the first at 0, of the second at 1.

    Pixels move along straight lines; both flows are combined as if they were equal and opposite (the linear
    motion model of Jiang et al., Super SloMo, CVPR 2018).
    """
    height, width = one.shape[0] * 2 // 3, one.shape[1]
    there, back = _flows(one[:height], other[:height])
    rest = 1.0 - share
    from_one = _sum(there, -rest * share, back, share * share)
    from_other = _sum(there, rest * rest, back, -rest * share)
    made = np.empty_like(one)
    made[:height] = _blend(one[:height], other[:height], from_one, from_other, share)
    size = (width // 2, height // 2)
    halves = [
        np.asarray(cv2.resize(flow, size, interpolation=cv2.INTER_AREA) / 2, np.float32)
        for flow in (from_one, from_other)
    ]
    for target, *planes in zip(*(chroma_planes(frame) for frame in (made, one, other)), strict=True):
        target[:] = _blend(planes[0], planes[1], halves[0], halves[1], share)
    return made


def _flows(one: Frame, other: Frame) -> tuple[Flow, Flow]:
    """The flow from a plane to another, and back."""
    small, other_small = _small(one), _small(other)
    seeker = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    there, back = (
        np.asarray(seeker.calc(*planes, np.zeros((*small.shape, 2), np.float32)), np.float32)
        for planes in ((small, other_small), (other_small, small))
    )
    return _grown(there, one), _grown(back, one)


def _small(plane: Frame) -> Frame:
    scale = min(1.0, _FLOW_SIDE / max(plane.shape))
    size = round(plane.shape[1] * scale), round(plane.shape[0] * scale)
    return np.asarray(cv2.resize(plane, size, interpolation=cv2.INTER_AREA), np.uint8)


def _grown(flow: Flow, plane: Frame) -> Flow:
    """A flow at the size of a plane, in its pixels."""
    height, width = plane.shape
    scale = np.array((width / flow.shape[1], height / flow.shape[0]), np.float32)
    return np.asarray(cv2.resize(flow, (width, height)) * scale, np.float32)


def _sum(there: Flow, weight: float, back: Flow, other_weight: float) -> Flow:
    return np.asarray(cv2.addWeighted(there, weight, back, other_weight, 0.0), np.float32)


def _blend(one: Frame, other: Frame, from_one: Flow, from_other: Flow, share: float) -> Frame:
    moved = [_moved(plane, flow) for plane, flow in ((one, from_one), (other, from_other))]
    return np.asarray(cv2.addWeighted(moved[0], 1.0 - share, moved[1], share, 0.0), np.uint8)


def _moved(plane: Frame, flow: Flow) -> Frame:
    """What a plane shows where the flow leads from each pixel."""
    rows, columns = np.indices(plane.shape, np.float32)
    at = columns + flow[..., 0], rows + flow[..., 1]
    return np.asarray(cv2.remap(plane, *at, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.uint8)
