"""A look at what an engine made, before anybody relies on it. It is coarse: it finds renders that broke.

Two things are never right. A picture is black where the avatar is not. And nothing moves while somebody
speaks: speech is loud, and rises and falls as syllables do, which a hum or music that goes on does not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

import cv2
import numpy as np
import numpy.typing as npt

from mouthpiece.core.speech import SpeechSlice
from mouthpiece.core.timeline import SPEECH_RATE, Span, clip_index, sample_at
from mouthpiece.errors import MouthpieceError
from services.lipsync.avatar import Avatar
from services.lipsync.engine import Frame

STILL_SECONDS = 1.5
"""Length of speech during which the picture cannot stand still."""
LEAST_CHANGE = 2.0
"""Levels (of 255) by which the brightness of some cell of the picture differs when lips moved."""
CELL = 8
"""Pixels in the side of a cell: noise of an encoder averages out, lips do not."""

_HOP = SPEECH_RATE // 50
_LOUD_HOPS, _LIVELY_HOPS = 5, 25
_LOUD_DB, _FLOOR_DB = -38.0, -60.0
_LIVELY_DB = 3.0
_BLACK_MEAN, _BLACK_SPREAD = 24.0, 3.0
_LIPS = (61, 291, 0, 17, 13, 14, 152)
"""Landmarks at the corners, above and below the lips, and at the chin."""

Cells = npt.NDArray[np.float32]
Region = tuple[slice, slice]


class Broken(MouthpieceError):
    """What the engine made cannot be right; another worker may do better."""


@dataclass(frozen=True, slots=True)
class Report:
    """What was seen of a chunk.

    `speaking_frames` are those during which speech is heard. Motion is the mean change of the mouth's region
    from one frame to the next, in levels of 255, during speech and otherwise.
    """

    frames: int
    speaking_frames: int
    speaking_motion: float
    resting_motion: float


class Gate:
    """Sees the frames of a chunk in order."""

    def __init__(
        self,
        speaking: npt.NDArray[np.bool_],
        fps: Fraction,
        region: Region,
        is_dark: Callable[[int], bool] = lambda _: False,
    ) -> None:
        """`speaking` tells of each frame whether speech is heard, `is_dark` whether it may be black.

        `region` is where the mouth is, in cells.
        """
        self._speaking = speaking
        self._most = round(STILL_SECONDS * fps)
        self._region = region
        self._is_dark = is_dark
        self._frames = 0
        self._still = 0
        self._anchor: Cells | None = None
        self._before: Cells | None = None
        self._motion: tuple[list[float], list[float]] = ([], [])

    def look(self, frame: Frame) -> None:
        """See the next frame. Raises `Broken`."""
        if self._frames == len(self._speaking):
            raise Broken(f"the engine makes more than the {self._frames} frames of the chunk")
        cells = cells_of(frame)
        if is_black(cells) and not self._is_dark(self._frames):
            raise Broken(f"frame {self._frames} of the chunk is black, and the avatar is not")
        mouth, speaking = cells[self._region], bool(self._speaking[self._frames])
        if self._before is not None:
            self._motion[not speaking].append(float(np.abs(mouth - self._before).mean()))
        self._before = mouth
        self._watch(cells, speaking)
        self._frames += 1

    def report(self) -> Report:
        """What was seen so far."""
        speaking, resting = (float(np.mean(changes)) if changes else 0.0 for changes in self._motion)
        heard = int(np.count_nonzero(self._speaking[: self._frames]))
        return Report(self._frames, heard, round(speaking, 3), round(resting, 3))

    def _watch(self, cells: Cells, speaking: bool) -> None:
        """Count for how long nothing has moved while somebody spoke."""
        if not speaking:
            self._anchor, self._still = None, 0
            return
        if self._anchor is None or np.abs(cells - self._anchor).max() > LEAST_CHANGE:
            self._anchor, self._still = cells, 0
        self._still += 1
        if self._still >= max(2, self._most):
            raise Broken(f"the picture stands still during {STILL_SECONDS:g} s of speech")


def gate_for(
    frames: Span,
    fps: Fraction,
    speech: SpeechSlice,
    avatar: Avatar,
    motion: Callable[[int], Sequence[int]],
) -> Gate:
    """The gate of a chunk; ``motion`` tells what each of its frames shows of the avatar's motion."""

    def shown(number: int) -> list[int]:
        return [clip_index(at, avatar.frames) for at in motion(frames.first + number)]

    def is_dark(number: int) -> bool:
        return any(is_black(cells_of(avatar.frame_i420(index))) for index in shown(number))

    speaking = speaking_frames(frames, fps, speech)
    if avatar.empty:
        speaking &= [avatar.empty.isdisjoint(shown(number)) for number in range(len(frames))]
    return Gate(speaking, fps, mouth_region(avatar), is_dark)


def speaking_frames(frames: Span, fps: Fraction, speech: SpeechSlice) -> npt.NDArray[np.bool_]:
    """During which frames somebody is heard: bool (frames,). Outside of the slice there is silence."""
    level = _levels(speech)
    loud, lively = _windows(level, _LOUD_HOPS).max(axis=1), _windows(level, _LIVELY_HOPS).std(axis=1)
    speaks = (loud > _LOUD_DB) & (lively > _LIVELY_DB)
    middles = [(sample_at(n, fps) + sample_at(n + 1, fps)) // 2 for n in frames]
    hops = (np.array(middles) - speech.samples.first) // _HOP
    known = (hops >= 0) & (hops < len(speaks))
    heard = np.zeros(len(middles), np.bool_)
    heard[known] = speaks[hops[known]]
    return heard


def mouth_region(avatar: Avatar) -> Region:
    """The cells over which lips and chin pass anywhere in the avatar's clip."""
    lips = avatar.landmarks[:, _LIPS, :2].reshape(-1, 2)
    left, top = np.floor(lips.min(axis=0) / CELL).astype(int)
    right, bottom = np.ceil(lips.max(axis=0) / CELL).astype(int)
    across, down = _grid(avatar.width, avatar.height)
    left, right = max(0, min(int(left) - 1, across - 1)), min(across, int(right) + 2)
    top, bottom = max(0, min(int(top) - 1, down - 1)), min(down, int(bottom) + 2)
    return np.s_[top : max(top + 1, bottom), left : max(left + 1, right)]


def cells_of(frame: Frame) -> Cells:
    """Mean brightness of the cells of an I420 frame: float32 (rows, columns)."""
    height, width = frame.shape[0] * 2 // 3, frame.shape[1]
    small = cv2.resize(frame[:height], _grid(width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.float32)


def is_black(cells: Cells) -> bool:
    """Whether a picture is black all over."""
    return float(cells.mean()) < _BLACK_MEAN and float(cells.std()) < _BLACK_SPREAD


def _grid(width: int, height: int) -> tuple[int, int]:
    return max(1, width // CELL), max(1, height // CELL)


def _levels(speech: SpeechSlice) -> npt.NDArray[np.float64]:
    """Level of every 20 ms in decibels below full scale, not less than the floor; at least one."""
    pcm = np.frombuffer(speech.pcm, "<i2").astype(np.float64) / 32768
    hops = max(1, -(-len(pcm) // _HOP))
    power = np.square(np.pad(pcm, (0, hops * _HOP - len(pcm))).reshape(hops, _HOP)).mean(axis=1)
    return np.asarray(np.maximum(10 * np.log10(power + 1e-12), _FLOOR_DB), np.float64)


def _windows(levels: npt.NDArray[np.float64], half: int) -> npt.NDArray[np.float64]:
    """So many levels on either side of each one."""
    padded = np.pad(levels, half, constant_values=_FLOOR_DB)
    return np.asarray(np.lib.stride_tricks.sliding_window_view(padded, 2 * half + 1), np.float64)
