"""Tiny networks in the format of piper's voices: each symbol sounds for a while at a pitch of its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

RATE = 16_000
HOP = 480
SYMBOLS = '_^$ !?.,:;"abdefhijklmnopqrstuvwxzæðŋɐɑɔəɚɛɜɡɪɹʃʊʌʒˈˌːθ'


def write_voice(path: Path, *, speakers: int = 1, **changes: Any) -> Path:
    """A voice and its description. Symbol n sounds as a sine of 100 + 5 n Hz for 30 ms, times the length."""
    onnx.save(_network(speakers > 1), str(path))
    description = {
        "audio": {"sample_rate": RATE},
        "espeak": {"voice": "en-us"},
        "language": {"code": "en_US"},
        "inference": {"noise_scale": 0.5, "length_scale": 1.0, "noise_w": 0.25},
        "num_speakers": speakers,
        "speaker_id_map": {f"s{number}": number for number in range(speakers)} if speakers > 1 else {},
        "phoneme_id_map": {symbol: [number] for number, symbol in enumerate(SYMBOLS)},
    } | changes
    path.with_name(path.name + ".json").write_text(json.dumps(description), encoding="utf-8")
    return path


def _network(with_speakers: bool) -> onnx.ModelProto:
    """sin(time of each symbol, HOP·length samples, times its number), times a quarter, or less by speaker."""
    inputs = [
        helper.make_tensor_value_info("input", TensorProto.INT64, [1, None]),
        helper.make_tensor_value_info("input_lengths", TensorProto.INT64, [1]),
        helper.make_tensor_value_info("scales", TensorProto.FLOAT, [3]),
    ]
    constants: dict[str, Any] = {
        "one": np.array(1, np.int64),
        "zero": np.array(0, np.int64),
        "column": np.array([-1, 1], np.int64),
        "flat": np.array([1, 1, 1, -1], np.int64),
        "hop": np.array(HOP, np.float32),
        "base": np.array(2 * np.pi * 100 / RATE, np.float32),
        "step": np.array(2 * np.pi * 5 / RATE, np.float32),
        "level": np.array(0.25, np.float32),
    }
    nodes = [
        helper.make_node("Cast", ["input"], ["numbers"], to=TensorProto.FLOAT),
        helper.make_node("Reshape", ["numbers", "column"], ["rows"]),
        helper.make_node("Mul", ["rows", "step"], ["above"]),
        helper.make_node("Add", ["above", "base"], ["speeds"]),
        helper.make_node("Gather", ["scales", "one"], ["length"]),
        helper.make_node("Mul", ["length", "hop"], ["samples"]),
        helper.make_node("Cast", ["samples"], ["count"], to=TensorProto.INT64),
        helper.make_node("Range", ["zero", "count", "one"], ["at"]),
        helper.make_node("Cast", ["at"], ["time"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["speeds", "time"], ["phase"]),
        helper.make_node("Sin", ["phase"], ["wave"]),
        helper.make_node("Mul", ["wave", "level"], ["quiet"]),
    ]
    last = "quiet"
    if with_speakers:
        inputs.append(helper.make_tensor_value_info("sid", TensorProto.INT64, [1]))
        nodes += [
            helper.make_node("Cast", ["sid"], ["who"], to=TensorProto.FLOAT),
            helper.make_node("Mul", ["who", "level"], ["share"]),
            helper.make_node("Mul", ["quiet", "share"], ["own"]),
        ]
        last = "own"
    nodes.append(helper.make_node("Reshape", [last, "flat"], ["output"]))
    graph = helper.make_graph(
        nodes,
        "voice",
        inputs,
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, 1, 1, None])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
