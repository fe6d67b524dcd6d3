"""The network and what surrounds it give the golden vectors, measured on the published code."""

from __future__ import annotations

import hashlib
import json
import wave
from fractions import Fraction
from itertools import count
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import nn

from mouthpiece.core.timeline import Span
from services.lipsync.engines.wav2lip import architecture, face, mel
from services.lipsync.engines.wav2lip.network import Block, Wav2Lip, expected_shapes
from tests.support.wav2lip_weights import DATA, seeded_network, seeded_weights

Array = npt.NDArray[Any]

SOUNDS = [
    "pub_chirps_3s",
    "pub_chirps_0p7s",
    "pub_edges_20837",
    "pub_silence_1s",
    "pub_speech_en_16k",
]


def facts(name: str) -> Any:
    return json.loads((DATA / f"{name}.json").read_text(encoding="utf-8"))


def arrays(name: str) -> dict[str, Array]:
    with np.load(DATA / f"{name}.npz") as file:
        return dict(file)


def sound(name: str) -> mel.Sound:
    with wave.open(str(DATA / f"{name}.wav")) as file:
        assert file.getframerate() == mel.RATE
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")
    return mel.Sound(samples)


def published_starts(columns: int, fps: Fraction) -> list[int]:
    """Starts of windows up to the one that was moved back to the end of the track."""
    starts: list[int] = []
    for frame in count():
        starts.append(mel.window_start(frame, fps, columns))
        if int(frame * (80.0 / float(fps))) + architecture.MEL_COLUMNS > columns:
            return starts
    raise AssertionError


def all_layers() -> dict[str, nn.Module]:
    """Blocks and the last convolution, by name."""
    wanted = (Block, nn.Conv2d)
    named = Wav2Lip().named_modules()
    return {name: part for name, part in named if isinstance(part, wanted) and "conv_block" not in name}


def test_weights_have_the_published_names_shapes_and_order() -> None:
    keys = facts("w2l_state_dict")
    assert [[name, list(shape)] for name, shape in expected_shapes().items()] == [
        key[:2] for key in keys["keys"]
    ]
    network = seeded_network()
    assert sum(weight.numel() for weight in network.parameters()) == keys["n_parameters"]
    assert sum(weight.numel() for weight in network.state_dict().values()) == keys["n_values_incl_buffers"]
    for name, _, kind in keys["keys"]:
        assert str(network.state_dict()[name].dtype) == f"torch.{kind}"


def test_every_layer_is_as_published() -> None:
    table = facts("w2l_layers")
    shapes: dict[str, tuple[list[int], list[int]]] = {}
    layers = dict(seeded_network().named_modules())

    def note(name: str) -> Any:
        def hook(_: nn.Module, taken: tuple[torch.Tensor, ...], given: torch.Tensor) -> None:
            shapes[name] = (list(taken[0].shape[1:]), list(given.shape[1:]))

        return hook

    handles = [layers[name].register_forward_hook(note(name)) for name in all_layers()]
    with torch.inference_mode():
        seeded_network()(torch.zeros(1, 1, 80, 16), torch.zeros(1, 6, 96, 96))
    for handle in handles:
        handle.remove()
    assert list(shapes) != []
    assert {row["prefix"] for row in table["layers"]} == set(shapes)
    for row in table["layers"]:
        layer = layers[row["prefix"]]
        block = layer if isinstance(layer, Block) else None
        convolution = layers[row["conv_key"]]
        assert isinstance(convolution, nn.Conv2d | nn.ConvTranspose2d)
        assert isinstance(convolution, nn.ConvTranspose2d) is (row["kind"] == "transposed")
        assert list(convolution.kernel_size) == row["kernel"]
        assert list(convolution.stride) == row["stride"]
        assert list(convolution.padding) == row["padding"]
        if row["output_padding"] is not None:
            assert list(convolution.output_padding) == row["output_padding"]
        assert (block is not None) is row["relu"]
        assert (block.residual if block else False) is row["residual"]
        assert (row["in"], row["out"]) == tuple(shapes[row["prefix"]])
        if row["bn_key"]:
            norm = layers[row["bn_key"]]
            assert isinstance(norm, nn.BatchNorm2d)
            assert norm.eps == table["batchnorm_eps"]


def test_seeded_weights_are_those_of_the_golden_run() -> None:
    checks = facts("w2l_weights_check")
    whole = hashlib.sha256()
    for name, weight in seeded_weights().items():
        data = weight.numpy().tobytes()
        whole.update(data)
        assert hashlib.sha256(data).hexdigest().startswith(checks["tensors"][name]["sha256"])
    assert whole.hexdigest() == checks["all_tensors_concatenated_in_key_order_sha256"]


def test_the_network_gives_the_published_output() -> None:
    golden = arrays("w2l_net_public")
    with torch.inference_mode():
        out = seeded_network()(torch.from_numpy(golden["mel"]), torch.from_numpy(golden["face"]))
    assert float(np.abs(out.numpy() - golden["out"]).max()) <= 2e-5


def test_every_stage_gives_the_published_tensor() -> None:
    golden = arrays("w2l_net_public")
    network, seen = seeded_network(), dict[str, Array]()
    stages = arrays("w2l_blocks_public")
    layers = dict(network.named_modules())

    def note(name: str) -> Any:
        def hook(_: nn.Module, taken: object, given: torch.Tensor) -> None:
            seen[name] = given[0].numpy()

        return hook

    handles = [layers[name].register_forward_hook(note(name)) for name in stages]
    with torch.inference_mode():
        network(torch.from_numpy(golden["mel"][1:2]), torch.from_numpy(golden["face"][1:2]))
    for handle in handles:
        handle.remove()
    for name, expected in stages.items():
        found = seen[name][:, ::4, ::4] if seen[name].size > 40_000 else seen[name]
        assert float(np.abs(found - expected).max()) <= 1e-4, name


@pytest.mark.parametrize("name", SOUNDS)
def test_spectrograms_are_the_published_ones(name: str) -> None:
    golden = arrays("w2l_mel_public")[name]
    track = sound(name)
    assert track.columns == golden.shape[1]
    assert float(np.abs(mel.columns_of(track, Span(0, golden.shape[1])) - golden).max()) <= 1e-4


def test_mel_bands_are_the_published_ones() -> None:
    assert float(np.abs(mel.mel_basis() - arrays("w2l_mel_public")["mel_basis"]).max()) <= 1e-8


@pytest.mark.parametrize("name", SOUNDS)
def test_every_frame_is_shown_the_published_window(name: str) -> None:
    golden = facts("w2l_mel_chunks_public")[name]
    for fps, starts in golden["starts"].items():
        assert published_starts(golden["T"], Fraction(fps)) == starts


def test_windows_of_long_tracks_are_the_published_ones() -> None:
    for columns, rates in facts("w2l_mel_chunks_public")["_long"].items():
        for fps, golden in rates.items():
            starts = published_starts(int(columns), Fraction(fps))
            digest = hashlib.sha256(np.array(starts, "<i4").tobytes()).hexdigest()
            assert (len(starts), digest[:16]) == (golden["n"], golden["sha256_of_int32_le"])


def test_a_face_is_cut_out_and_put_back_as_published() -> None:
    golden = arrays("w2l_face_public")
    top, bottom, left, right = (int(edge) for edge in golden["box_y1y2x1x2"])
    crop = golden["frame"][top:bottom, left:right]
    given = face.network_input(crop)
    assert np.array_equal(given, golden["net_input"])
    assert np.array_equal(np.rint(given[3:].transpose(1, 2, 0) * 255), golden["face96"])
    pasted = golden["frame"].copy()
    pasted[top:bottom, left:right] = face.picture_of(golden["pred"], (right - left, bottom - top))
    assert np.array_equal(pasted, golden["pasted"])


def test_boxes_are_smoothed_and_padded_as_published() -> None:
    golden = facts("w2l_boxes_public")
    for case in golden["smooth_T5"]:
        assert face.smoothed(np.array(case["in_x1y1x2y2"])).tolist() == case["out"]
    for case in golden["pad_clamp"]:
        height, width = case["frame_hw"]
        box = np.array([case["rect_x1y1x2y2"]])
        made = face.padded(box, (width, height), case["pads_top_bottom_left_right"])
        assert made.tolist() == [case["box_x1y1x2y2"]]


def test_a_clip_comes_out_as_published() -> None:
    golden = arrays("w2l_e2e_public")
    clip, fps = golden["frames"], Fraction(float(golden["fps"]))
    top, bottom, left, right = (int(edge) for edge in golden["box_y1y2x1x2"])
    track = sound("pub_chirps_0p7s")
    count = len(golden["out"])
    assert count == len(published_starts(track.columns or 0, fps))
    mels = mel.windows(track, Span(0, count), fps)
    crops = [face.network_input(frame[top:bottom, left:right]) for frame in clip]
    faces = np.stack([crops[frame % len(clip)] for frame in range(count)])
    with torch.inference_mode():
        made = seeded_network()(torch.from_numpy(mels), torch.from_numpy(faces)).numpy()
    frames = clip[np.arange(count) % len(clip)].copy()
    for frame, picture in zip(frames, made, strict=True):
        frame[top:bottom, left:right] = face.picture_of(picture, (right - left, bottom - top))
    difference = np.abs(frames.astype(int) - golden["out"])
    assert difference.max() <= 2
    assert np.mean(difference > 0) <= 0.005
