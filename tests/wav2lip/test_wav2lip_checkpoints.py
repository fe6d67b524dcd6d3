"""Checkpoints: every kind that circulates is read, nothing in them is run, everything else is refused."""

from __future__ import annotations

import os
import pickle
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from torch import nn

from mouthpiece.errors import Reason, Unmet
from services.lipsync.engines.wav2lip.checkpoint import digest, read_weights
from tests.support.wav2lip_weights import (
    seeded_network,
    seeded_weights,
    training_checkpoint,
    write_scripted,
)

Weights = dict[str, torch.Tensor]

FIRST = "face_encoder_blocks.0.0.conv_block.0.weight"


@pytest.fixture
def file(tmp_path: Path) -> Iterator[Path]:
    """A name that says nothing about what is in it; the file does not outlive the test."""
    path = tmp_path / "weights.bin"
    yield path
    path.unlink(missing_ok=True)


def light() -> Weights:
    """Weights of the right shapes that take no room, in memory or in a file."""
    return {
        name: torch.zeros((), dtype=weight.dtype).expand(weight.shape)
        for name, weight in seeded_weights().items()
    }


def write_legacy(weights: Weights, path: Path) -> None:
    torch.save(training_checkpoint(weights), path, _use_new_zipfile_serialization=False)


def write_training(weights: Weights, path: Path) -> None:
    torch.save(training_checkpoint(weights), path)


def write_bare(weights: Weights, path: Path) -> None:
    torch.save(weights, path)


def write_torchscript(_: Weights, path: Path) -> None:
    write_scripted(path, seeded_network(), torch.zeros(1, 1, 80, 16), torch.zeros(1, 6, 96, 96))


@pytest.mark.parametrize("write", [write_training, write_legacy, write_bare, write_torchscript])
def test_every_kind_of_checkpoint_gives_the_same_weights(
    file: Path, write: Callable[[Weights, Path], None]
) -> None:
    write(seeded_weights(), file)
    found = read_weights(file)
    assert list(found) == list(seeded_weights())
    assert all(torch.equal(found[name], weight) for name, weight in seeded_weights().items())


def test_very_old_files_lack_the_counters(file: Path) -> None:
    weights = {name: weight for name, weight in light().items() if not name.endswith("num_batches_tracked")}
    write_bare(weights, file)
    assert len(read_weights(file)) == len(seeded_weights())


def test_halved_weights_are_widened(file: Path) -> None:
    weights = {
        name: weight.half() if weight.is_floating_point() else weight for name, weight in light().items()
    }
    write_training(weights, file)
    assert read_weights(file)[FIRST].dtype == torch.float32


class _Trap:
    """Unpickling it makes a folder, if it is let."""

    def __init__(self, folder: Path) -> None:
        self._folder = str(folder)

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (self._folder,)


def refusal(path: Path) -> str:
    with pytest.raises(Unmet) as caught:
        read_weights(path)
    assert caught.value.reason is Reason.WEIGHTS_MISSING
    assert path.name in caught.value.message
    return caught.value.message


@pytest.mark.parametrize("zipped", [True, False])
def test_code_in_a_checkpoint_is_not_run(file: Path, tmp_path: Path, zipped: bool) -> None:
    content = {"state_dict": {FIRST: torch.zeros(1)}, "optimizer": _Trap(tmp_path / "ran")}
    torch.save(content, file, _use_new_zipfile_serialization=zipped)
    assert "torch cannot read it" in refusal(file)
    assert not (tmp_path / "ran").exists()


def scripted(path: Path, pickled: bytes) -> None:
    """An archive that looks like TorchScript, with a pickle of one's own."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("model/constants.pkl", pickle.dumps(()))
        archive.writestr("model/code/__torch__.py", "raise SystemExit")
        archive.writestr("model/data.pkl", pickled)


def test_code_in_a_torchscript_archive_is_not_run(file: Path, tmp_path: Path) -> None:
    scripted(file, pickle.dumps(_Trap(tmp_path / "ran")))
    assert "it asks for" in refusal(file)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "pickled", [b"", b"garbage", pickle.dumps([1, 2]), pickle.dumps({"a": 1}), b"\x80\x02.", b"\x80\x02X\xff"]
)
def test_a_damaged_torchscript_archive_is_refused(file: Path, pickled: bytes) -> None:
    scripted(file, pickled)
    assert "TorchScript archive" in refusal(file)


def test_another_torchscript_module_is_refused_by_name(file: Path) -> None:
    write_scripted(file, nn.Linear(3, 2), torch.zeros(1, 3))
    message = refusal(file)
    assert "unexpected weight, bias" in message
    assert f"missing {FIRST}" in message


def test_missing_and_unexpected_weights_are_named(file: Path) -> None:
    weights = light()
    weights["face_encoder.first.weight"] = weights.pop(FIRST)
    write_bare(weights, file)
    message = refusal(file)
    assert f"missing {FIRST};" in message
    assert "unexpected face_encoder.first.weight" in message


def test_a_wrong_shape_is_named(file: Path) -> None:
    write_bare(light() | {"output_block.1.weight": torch.zeros(4, 32, 1, 1)}, file)
    assert "output_block.1.weight (4, 32, 1, 1) instead of (3, 32, 1, 1)" in refusal(file)


def test_networks_for_larger_faces_are_recognised(file: Path) -> None:
    deeper = {f"face_encoder_blocks.7.0.conv_block.0.{leaf}": torch.zeros(1) for leaf in ("weight", "bias")}
    write_training(light() | deeper, file)
    assert "256, 288 or 384 pixels" in refusal(file)


def test_a_single_message_names_only_some_of_many(file: Path) -> None:
    write_bare({FIRST: torch.zeros(16, 6, 7, 7)}, file)
    assert "and 298 more" in refusal(file)


@pytest.mark.parametrize("content", [b"", b"hello, world", b"PK\x03\x04 but no more", b"\x80\x02}q\x00."])
def test_other_files_are_refused(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    refusal(file)


@pytest.mark.parametrize("write", [write_training, write_legacy])
def test_a_cut_off_checkpoint_is_refused(file: Path, write: Callable[[Weights, Path], None]) -> None:
    write(light(), file)
    file.write_bytes(file.read_bytes()[: file.stat().st_size * 2 // 3])
    refusal(file)


def test_a_checkpoint_without_weights_is_refused(file: Path) -> None:
    torch.save([1, 2, 3], file)
    assert "no weights" in refusal(file)


def test_a_file_that_is_not_there_is_said_to_be_missing(tmp_path: Path) -> None:
    for read in (read_weights, digest):
        with pytest.raises(Unmet, match="No such file"):
            read(tmp_path / "wav2lip.pth")


def test_a_digest_names_the_content(file: Path) -> None:
    file.write_bytes(b"abc")
    assert digest(file).startswith("ba7816bf")
