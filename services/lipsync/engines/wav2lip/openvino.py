"""The network as two OpenVINO graphs, made layer by layer from a folded network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import openvino as ov
from openvino import opset15 as ops
from torch import nn

from services.lipsync.engines.wav2lip.architecture import FACE_SIDE, MEL_BANDS, MEL_COLUMNS
from services.lipsync.engines.wav2lip.face import Faces
from services.lipsync.engines.wav2lip.mel import Mel
from services.lipsync.engines.wav2lip.network import Block, Wav2Lip
from services.lipsync.engines.wav2lip.processor import BATCH, Features, Functions

Node = Any
_Model: Any = ov.Model  # its stubs contradict each other


def openvino_functions(network: Wav2Lip, threads: int) -> Functions:
    """A folded network run by OpenVINO in float32 on so many threads."""
    options = {
        "INFERENCE_NUM_THREADS": threads,
        "NUM_STREAMS": 1,
        "INFERENCE_PRECISION_HINT": "f32",
    }
    core = ov.Core()
    encoder = core.compile_model(_encoder(network), "CPU", options).create_infer_request()
    decoder = core.compile_model(_decoder(network), "CPU", options).create_infer_request()

    def encode(faces: Faces) -> Features:
        made = encoder.infer([faces], share_inputs=True)
        return [np.array(made[stage]) for stage in range(len(made))]

    def decode(mels: Mel, features: Features) -> Faces:
        return np.array(decoder.infer([mels, *features], share_inputs=True)[0])

    return Functions(encode, decode)


def _encoder(network: Wav2Lip) -> Any:
    face = ops.parameter([BATCH, 6, FACE_SIDE, FACE_SIDE], np.float32)
    features: list[Node] = []
    for stage in network.face_encoder_blocks:
        features.append(_sequence(stage, features[-1] if features else face))
    return _Model(features, [face], "encoder")


def _decoder(network: Wav2Lip) -> Any:
    mel = ops.parameter([BATCH, 1, MEL_BANDS, MEL_COLUMNS], np.float32)
    shapes = [output.shape for output in _encoder(network).outputs]
    features = [ops.parameter(shape, np.float32) for shape in shapes]
    x = _sequence(network.audio_encoder, mel)
    for stage, feature in zip(network.face_decoder_blocks, reversed(features), strict=True):
        x = ops.concat([_sequence(stage, x), feature], 1)
    return _Model([_sequence(network.output_block, x)], [mel, *features], "decoder")


def _sequence(layers: nn.Module, x: Node) -> Node:
    for layer in cast("Sequence[nn.Module]", layers):
        x = _layer(layer, x)
    return x


def _layer(layer: nn.Module, x: Node) -> Node:
    match layer:
        case Block():
            made = _sequence(layer.conv_block, x)
            return ops.relu(ops.add(made, x) if layer.residual else made)
        case nn.Sigmoid():
            return ops.sigmoid(x)
        case nn.ConvTranspose2d() | nn.Conv2d():
            return _convolution(layer, x)
        case _:
            raise TypeError(f"no {type(layer).__name__} was expected")


def _convolution(layer: nn.Conv2d | nn.ConvTranspose2d, x: Node) -> Node:
    weight = ops.constant(layer.weight.numpy())
    strides, padding = list(layer.stride), list(cast("tuple[int, int]", layer.padding))
    if isinstance(layer, nn.ConvTranspose2d):
        over = list(layer.output_padding)
        made = ops.convolution_backprop_data(
            x, weight, strides, None, padding, padding, [1, 1], "explicit", over
        )
    else:
        made = ops.convolution(x, weight, strides, padding, padding, [1, 1])
    assert layer.bias is not None
    return ops.add(made, ops.constant(layer.bias.numpy().reshape(1, -1, 1, 1)))
