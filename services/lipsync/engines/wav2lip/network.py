"""The network in torch, with the published names of its weights."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from services.lipsync.engines.wav2lip.architecture import (
    AUDIO_ENCODER,
    FACE_DECODER,
    FACE_ENCODER,
    NORM_EPSILON,
    OUTPUT,
    OUTPUT_CHANNELS,
    Layer,
)


class Block(nn.Module):
    """One layer of the table. `conv_block` holds the convolution, and the norm until it is folded."""

    def __init__(self, layer: Layer) -> None:
        super().__init__()
        self.conv_block = nn.Sequential(
            _convolution(layer), nn.BatchNorm2d(layer.channels_out, eps=NORM_EPSILON)
        )
        self.residual = layer.residual

    def forward(self, x: Tensor) -> Tensor:
        """(B, in, H, W) to (B, out, H', W')."""
        made: Tensor = self.conv_block(x)
        return torch.relu(made + x if self.residual else made)

    def fold(self) -> None:
        """Put the norm into the convolution before it: the same function in one step."""
        convolution = cast("nn.Conv2d | nn.ConvTranspose2d", self.conv_block[0])
        norm = cast("nn.BatchNorm2d", self.conv_block[1])
        transposed = isinstance(convolution, nn.ConvTranspose2d)
        self.conv_block = nn.Sequential(fuse_conv_bn_eval(convolution, norm, transpose=transposed))


class Wav2Lip(nn.Module):
    """Speech and a face in, the face with the lips of that speech out."""

    def __init__(self) -> None:
        super().__init__()
        self.face_encoder_blocks = nn.ModuleList(map(_stage, FACE_ENCODER))
        self.audio_encoder = _stage(AUDIO_ENCODER)
        self.face_decoder_blocks = nn.ModuleList(map(_stage, FACE_DECODER))
        self.output_block = nn.Sequential(
            Block(OUTPUT), nn.Conv2d(OUTPUT.channels_out, OUTPUT_CHANNELS, 1), nn.Sigmoid()
        )

    def encode_face(self, face: Tensor) -> list[Tensor]:
        """What the seven encoder stages make of faces (B, 6, 96, 96); it does not depend on the speech."""
        features: list[Tensor] = []
        for stage in self.face_encoder_blocks:
            face = stage(face)
            features.append(face)
        return features

    def decode(self, mel: Tensor, features: Sequence[Tensor]) -> Tensor:
        """Faces (B, 3, 96, 96) in 0..1 for speech (B, 1, 80, 16) and the encoded faces."""
        x: Tensor = self.audio_encoder(mel)
        for stage, feature in zip(self.face_decoder_blocks, reversed(features), strict=True):
            x = torch.cat((stage(x), feature), dim=1)
        made: Tensor = self.output_block(x)
        return made

    def forward(self, mel: Tensor, face: Tensor) -> Tensor:
        """Faces (B, 3, 96, 96) in 0..1 for speech (B, 1, 80, 16) and faces (B, 6, 96, 96)."""
        return self.decode(mel, self.encode_face(face))

    def fold(self) -> None:
        """Put every norm into its convolution; for inference only, and the names of weights change."""
        for block in self.modules():
            if isinstance(block, Block):
                block.fold()


def build(weights: dict[str, Tensor]) -> Wav2Lip:
    """The network with checked weights, for inference."""
    with torch.device("meta"):
        network = Wav2Lip()
    network.load_state_dict(weights, assign=True)
    return network.eval().requires_grad_(False)


def expected_shapes() -> dict[str, tuple[int, ...]]:
    """Names and shapes of all weights, in order."""
    with torch.device("meta"):
        return {name: tuple(weight.shape) for name, weight in Wav2Lip().state_dict().items()}


def _stage(layers: Iterable[Layer]) -> nn.Sequential:
    return nn.Sequential(*map(Block, layers))


def _convolution(layer: Layer) -> nn.Conv2d | nn.ConvTranspose2d:
    if not layer.transposed:
        return nn.Conv2d(layer.channels_in, layer.channels_out, layer.kernel, layer.stride, layer.padding)
    over = (layer.stride[0] - 1, layer.stride[1] - 1)
    return nn.ConvTranspose2d(
        layer.channels_in, layer.channels_out, layer.kernel, layer.stride, layer.padding, over
    )
