"""Tiny networks in the format of Pocket TTS: a tone as loud as the reference and as long as the text."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

RATE = 24_000
WIDE, LATENT, FRAME = 1024, 32, 1_920
"""Sizes of conditioning and latents, which the library takes for granted, and samples of a latent."""
FRAMES_PER_TOKEN = 3
TAIL = 4
"""Latents after the one that ends the text."""

_TYPES = {"f": TensorProto.FLOAT, "i": TensorProto.INT64}
_Ports = Mapping[str, tuple[str, Sequence[int | None]]]


def write_model(folder: Path, *, fits: bool = True) -> Path:
    """A model whose tokens are single letters. One whose parts do not fit together fails when it speaks."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, network in _networks(LATENT if fits else LATENT + 1).items():
        onnx.save(network, str(folder / f"{name}.onnx"))
    letters = ["<unk>", "▁", *"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.,!?'"]
    ids = {letter: number for number, letter in enumerate(letters)}
    (folder / "vocab.json").write_text(json.dumps(ids), encoding="utf-8")
    scores = {letter: -float(number) for letter, number in ids.items()}
    (folder / "token_scores.json").write_text(json.dumps(scores), encoding="utf-8")
    return folder


def _networks(decoded: int) -> Mapping[str, onnx.ModelProto]:
    return {
        "encoder": _encoder(),
        "text_conditioner": _text_conditioner(),
        "lm_main": _lm_main(),
        "lm_flow": _lm_flow(),
        "decoder": _decoder(decoded),
    }


def _encoder() -> onnx.ModelProto:
    """Mean size of the samples, in the first channel."""
    nodes = [
        helper.make_node("Abs", ["audio"], ["size"]),
        helper.make_node("ReduceMean", ["size"], ["mean"], axes=[2], keepdims=1),
        helper.make_node("Mul", ["mean", "first"], ["embedding"]),
    ]
    channels = {"first": _only(0)}
    return _model(nodes, {"audio": ("f", [1, 1, None])}, {"embedding": ("f", [1, 1, WIDE])}, channels)


def _only(channel: int) -> npt.NDArray[np.float32]:
    """One in one channel."""
    return np.asarray(np.arange(WIDE) == channel, np.float32).reshape(1, 1, WIDE)


def _text_conditioner() -> onnx.ModelProto:
    """One in the second channel for each token."""
    nodes = [
        helper.make_node("Cast", ["tokens"], ["numbers"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["numbers", "nothing"], ["nulls"]),
        helper.make_node("Unsqueeze", ["nulls", "last"], ["column"]),
        helper.make_node("Add", ["column", "second"], ["embedding"]),
    ]
    constants = {"nothing": np.float32(0), "last": np.array([2], np.int64), "second": _only(1)}
    return _model(nodes, {"tokens": ("i", [1, None])}, {"embedding": ("f", [1, None, WIDE])}, constants)


def _lm_main() -> onnx.ModelProto:
    """Counts what it hears: voice, tokens and latents. The end comes some latents for each token later."""
    nodes = [
        helper.make_node("ReduceSum", ["embeddings", "along"], ["sums"], keepdims=0),
        helper.make_node("Gather", ["sums", "heard"], ["voice and tokens"], axis=1),
        helper.make_node("Shape", ["sequence"], ["shape"]),
        helper.make_node("Gather", ["shape", "one"], ["length"], axis=0),
        helper.make_node("Cast", ["length"], ["steps"], to=TensorProto.FLOAT),
        helper.make_node("Reshape", ["steps", "square"], ["latents"]),
        helper.make_node("Concat", ["voice and tokens", "latents"], ["more"], axis=1),
        helper.make_node("Add", ["state", "more"], ["new state"]),
        helper.make_node("Mul", ["new state", "weights"], ["weighed"]),
        helper.make_node("ReduceSum", ["weighed", "one"], ["left"], keepdims=1),
        helper.make_node("Sub", ["left", "early"], ["logit"]),
        helper.make_node("Mul", ["new state", "voice only"], ["voice"]),
        helper.make_node("ReduceSum", ["voice", "one"], ["level"], keepdims=1),
        helper.make_node("Add", ["level", "wide"], ["conditioning"]),
    ]
    constants = {
        "along": np.array([1], np.int64),
        "heard": np.array([0, 1], np.int64),
        "one": np.array([1], np.int64),
        "square": np.array([1, 1], np.int64),
        "weights": np.array([[0, -FRAMES_PER_TOKEN, 1]], np.float32),
        "early": np.array(4.5, np.float32),
        "voice only": np.array([[1, 0, 0]], np.float32),
        "wide": np.zeros((1, WIDE), np.float32),
    }
    inputs: _Ports = {
        "sequence": ("f", [1, None, LATENT]),
        "embeddings": ("f", [1, None, WIDE]),
        "state": ("f", [1, 3]),
    }
    outputs = {"conditioning": ("f", [1, WIDE]), "logit": ("f", [1, 1]), "new state": ("f", [1, 3])}
    return _model(nodes, inputs, outputs, constants)


def _lm_flow() -> onnx.ModelProto:
    """The straight way from the noise to the conditioning's first channels, as far as is left of it."""
    nodes = [
        helper.make_node("Slice", ["conditioning", "from", "to", "axis"], ["wanted"]),
        helper.make_node("Sub", ["wanted", "noise"], ["way"]),
        helper.make_node("Sub", ["all", "s"], ["left"]),
        helper.make_node("Div", ["way", "left"], ["flow"]),
        helper.make_node("Mul", ["t", "nothing"], ["null"]),
        helper.make_node("Add", ["flow", "null"], ["direction"]),
    ]
    constants = {
        "from": np.array([0], np.int64),
        "to": np.array([LATENT], np.int64),
        "axis": np.array([1], np.int64),
        "all": np.float32(1),
        "nothing": np.float32(0),
    }
    inputs = {
        "conditioning": ("f", [1, WIDE]),
        "s": ("f", [1, 1]),
        "t": ("f", [1, 1]),
        "noise": ("f", [1, LATENT]),
    }
    return _model(nodes, inputs, {"direction": ("f", [1, LATENT])}, constants)


def _decoder(width: int) -> onnx.ModelProto:
    """A tone of a hundred hertz times the first channel of each latent."""
    tone = np.sin(2 * np.pi * 100 * np.arange(FRAME) / RATE).astype(np.float32).reshape(1, 1, FRAME)
    nodes = [
        helper.make_node("Slice", ["latents", "from", "to", "axis"], ["levels"]),
        helper.make_node("Mul", ["levels", "tone"], ["frames"]),
        helper.make_node("Reshape", ["frames", "flat"], ["audio"]),
        helper.make_node("Identity", ["state"], ["new state"]),
    ]
    constants = {
        "from": np.array([0], np.int64),
        "to": np.array([1], np.int64),
        "axis": np.array([2], np.int64),
        "tone": tone,
        "flat": np.array([1, 1, -1], np.int64),
    }
    inputs: _Ports = {"latents": ("f", [1, None, width]), "state": ("f", [1, 1])}
    outputs: _Ports = {"audio": ("f", [1, 1, None]), "new state": ("f", [1, 1])}
    return _model(nodes, inputs, outputs, constants)


def _model(
    nodes: Sequence[onnx.NodeProto],
    inputs: _Ports,
    outputs: _Ports,
    constants: Mapping[str, Any],
) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes,
        "part",
        [helper.make_tensor_value_info(name, _TYPES[kind], shape) for name, (kind, shape) in inputs.items()],
        [helper.make_tensor_value_info(name, _TYPES[kind], shape) for name, (kind, shape) in outputs.items()],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
