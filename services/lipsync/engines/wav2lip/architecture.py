"""The layers of the published network, as data.

Prajwal et al. 2020. 51 convolutions, 36,298,035 parameters, 3.967 GMAC for a frame.
"""

from __future__ import annotations

from dataclasses import dataclass

FACE_SIDE = 96
"""Height and width of the face that goes in, and of the one that comes out."""
MEL_BANDS, MEL_COLUMNS = 80, 16
"""Shape of the speech that goes in."""
NORM_EPSILON = 1e-5
FRAME_MACS = 3_967_000_000
"""Multiplications with addition for one frame, of which the face encoder takes 7.8 %."""


@dataclass(frozen=True, slots=True)
class Layer:
    """A convolution with bias and batch norm, then its own input added if `residual`, then ReLU.

    `transposed`: with the strides between outputs, so that a stride of 2 doubles both sides.
    """

    channels_in: int
    channels_out: int
    kernel: int = 3
    stride: tuple[int, int] = (1, 1)
    padding: int = 1
    residual: bool = False
    transposed: bool = False


def _same(channels: int, count: int) -> tuple[Layer, ...]:
    return (Layer(channels, channels, residual=True),) * count


def _down(channels_in: int, channels_out: int, same: int) -> tuple[Layer, ...]:
    return (Layer(channels_in, channels_out, stride=(2, 2)), *_same(channels_out, same))


def _up(channels_in: int, channels_out: int) -> tuple[Layer, ...]:
    first = Layer(channels_in, channels_out, stride=(2, 2), transposed=True)
    return (first, *_same(channels_out, 2))


def _point(channels_in: int, channels_out: int) -> Layer:
    return Layer(channels_in, channels_out, kernel=1, padding=0)


AUDIO_ENCODER: tuple[Layer, ...] = (
    Layer(1, 32),
    *_same(32, 2),
    Layer(32, 64, stride=(3, 1)),
    *_same(64, 2),
    Layer(64, 128, stride=(3, 3)),
    *_same(128, 2),
    Layer(128, 256, stride=(3, 2)),
    *_same(256, 1),
    Layer(256, 512, padding=0),
    _point(512, 512),
)
"""From (1, 80, 16) to (512, 1, 1)."""

FACE_ENCODER: tuple[tuple[Layer, ...], ...] = (
    (Layer(6, 16, kernel=7, padding=3),),
    _down(16, 32, 2),
    _down(32, 64, 3),
    _down(64, 128, 2),
    _down(128, 256, 2),
    _down(256, 512, 1),
    (Layer(512, 512, padding=0), _point(512, 512)),
)
"""Stages from (6, 96, 96); the output of each goes to the decoder as well."""

FACE_DECODER: tuple[tuple[Layer, ...], ...] = (
    (_point(512, 512),),
    (Layer(1024, 512, padding=0, transposed=True), *_same(512, 1)),
    _up(1024, 512),
    _up(768, 384),
    _up(512, 256),
    _up(320, 128),
    _up(160, 64),
)
"""Stages from the encoded speech; to the output of stage j that of encoder stage 6 - j is joined behind."""

OUTPUT: Layer = Layer(80, 32)
"""After it there is one plain 1 × 1 convolution to three channels, and a logistic function."""
OUTPUT_CHANNELS = 3
