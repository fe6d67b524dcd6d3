"""Whatever bytes a checkpoint has, it is read or refused with a reason, and soon."""

from __future__ import annotations

import io
import random
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import torch

from mouthpiece.errors import Unmet
from services.lipsync.engines.wav2lip.checkpoint import read_weights
from tests.support.wav2lip_weights import write_scripted

CHANGES = 80

pytestmark = pytest.mark.filterwarnings("ignore:Detected pickle protocol")


class Small(torch.nn.Module):
    """A network of two layers, one within the other."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = torch.nn.Sequential(torch.nn.Linear(3, 2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.inner(x)
        return found


def zipped(path: Path) -> None:
    torch.save({"state_dict": Small().state_dict()}, path)


def legacy(path: Path) -> None:
    torch.save({"state_dict": Small().state_dict()}, path, _use_new_zipfile_serialization=False)


def scripted(path: Path) -> None:
    write_scripted(path, Small(), torch.zeros(1, 3))


def answered(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(Unmet) as caught:
        read_weights(path)
    assert len(caught.value.message) < 2000


def spoilt(content: bytes, seed: int) -> bytes:
    """Some bytes changed, a piece doubled or missing, or the end cut off."""
    chance = random.Random(seed)
    data = bytearray(content)
    for _ in range(chance.choice((1, 1, 2, 8))):
        at = chance.randrange(len(data))
        match chance.randrange(4):
            case 0:
                data[at] = chance.randrange(256)
            case 1:
                data[at : at + chance.randrange(1, 40)] = b""
            case 2:
                data[at:at] = data[at : at + chance.randrange(1, 40)]
            case _:
                data[at : at + 4] = chance.choice((b"\xff\xff\xff\x7f", b"\0\0\0\0", b"\xff\xff\xff\xff"))
        data = data or bytearray(b"\0")
    return bytes(data[: chance.randrange(1, len(data) + 1)] if chance.random() < 0.1 else data)


@pytest.mark.parametrize("write", [zipped, legacy, scripted])
def test_files_with_bytes_changed(tmp_path: Path, write: Callable[[Path], None]) -> None:
    write(tmp_path / "whole")
    whole = (tmp_path / "whole").read_bytes()
    answered(tmp_path / "file", whole)  # it is of another network
    for seed in range(CHANGES):
        answered(tmp_path / "file", spoilt(whole, seed))


def with_member(archive: bytes, ending: str, change: Callable[[bytes], bytes]) -> bytes:
    """A zip in which one member has other content, and is otherwise sound."""
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(archive)) as old, zipfile.ZipFile(made, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            new.writestr(name, change(content) if name.endswith(ending) else content)
    return made.getvalue()


@pytest.mark.parametrize("write", [zipped, scripted])
def test_sound_archives_of_pickles_with_bytes_changed(tmp_path: Path, write: Callable[[Path], None]) -> None:
    write(tmp_path / "whole")
    whole = (tmp_path / "whole").read_bytes()
    for seed in range(CHANGES):
        answered(tmp_path / "file", with_member(whole, "/data.pkl", partial(spoilt, seed=seed)))


def cyclic() -> bytes:
    """A module whose only attribute is itself, as a TorchScript archive would hold it."""
    pickled = b"\x80\x02c__torch__\nLoop\n)\x81q\x00}X\x01\x00\x00\x00ah\x00sb."
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("a/data.pkl", pickled)
        archive.writestr("a/constants.pkl", b"")
    return made.getvalue()


def test_a_module_that_holds_itself(tmp_path: Path) -> None:
    answered(tmp_path / "file", cyclic())
