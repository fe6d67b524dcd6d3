"""Checkpoints of the published network as they circulate, read without running anything in them.

What a file is its bytes tell, not its name: a zip of pickled weights, the stream that older versions of torch
wrote, or a TorchScript archive. The weights may be bare or lie in `state_dict` beside what training left.
"""

from __future__ import annotations

import pickle
import struct
import zipfile
import zlib
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from hashlib import file_digest
from io import BytesIO
from pathlib import Path
from typing import Any, NoReturn, cast

import torch

from mouthpiece.errors import Reason, Unmet
from services.lipsync.engines.wav2lip.network import expected_shapes

_ZIP = b"PK\x03\x04"
_LEGACY = bytes.fromhex("80028a0a6cfc9c46")
_PREFIX = "module."
"""What training on several GPUs puts before every name."""
_COUNTERS = "num_batches_tracked"
"""Of no use to inference, and missing in very old files."""
_NAMED = 3
"""Most weights that a message names."""
_LONGEST = 300
"""Most that a message quotes."""
_MAX_PICKLE = 16 << 20
_STORAGES = {"FloatStorage": torch.float32, "HalfStorage": torch.float16, "LongStorage": torch.int64}

_SENSELESS = (
    *(pickle.UnpicklingError, zipfile.BadZipFile, zlib.error, struct.error, EOFError, MemoryError),
    *(ArithmeticError, AttributeError, AssertionError, LookupError, RuntimeError, TypeError, ValueError),
)
"""What readers of zips and pickles raise for bytes that make no sense: they check little themselves."""

Weights = dict[str, torch.Tensor]


class _NotReadable(Exception):
    """The file is damaged, or holds something else; the message tells."""


def digest(path: Path) -> str:
    """SHA-256 of a checkpoint. Raises `Unmet` (WEIGHTS_MISSING) when it cannot be read."""
    try:
        with path.open("rb") as file:
            return file_digest(file, "sha256").hexdigest()
    except OSError as error:
        _refuse(path, error.strerror or str(error))


def read_weights(path: Path) -> Weights:
    """All weights of the network, float32, by their published names.

    Raises `Unmet` (WEIGHTS_MISSING) when the file is missing, damaged, or of another network.
    """
    try:
        found = _bare(_content(path))
    except OSError as error:
        _refuse(path, error.strerror or str(error))
    except _NotReadable as error:
        _refuse(path, str(error))
    expected = expected_shapes()
    wrong = "; ".join(_differences(found, expected))
    if wrong:
        _refuse(path, wrong)
    counter = torch.zeros((), dtype=torch.int64)
    return {name: _single(found.get(name, counter)) for name in expected}


def _content(path: Path) -> object:
    with path.open("rb") as file:
        start = file.read(len(_LEGACY))
    if start.startswith(_ZIP):
        return _zipped(path)
    if start == _LEGACY:
        return _pickled(path)
    raise _NotReadable("not a checkpoint: neither a zip, nor what torch wrote before version 1.6")


def _pickled(path: Path) -> object:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except _SENSELESS as error:
        raise _NotReadable(f"torch cannot read it: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)[:_LONGEST]


def _zipped(path: Path) -> object:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            scripted = [name for name in names if name.count("/") == 1 and name.endswith("/constants.pkl")]
            if not scripted:
                return _pickled(path)
            return _Archive(archive, scripted[0].partition("/")[0]).weights()
    except _SENSELESS as error:
        raise _NotReadable(f"a damaged zip: {_first_line(error)}") from error


class _Module:
    """A module of a TorchScript archive: its attributes and nothing else, whatever its class would do."""

    def __setstate__(self, state: Any) -> None:
        if not isinstance(state, dict):
            raise _NotReadable("its modules have no attributes")
        self.attributes = cast("dict[str, object]", state)

    def weights(self, prefix: str = "") -> Iterator[tuple[str, torch.Tensor]]:
        """Names and values of the tensors in this module and those in it."""
        for name, value in getattr(self, "attributes", dict[str, object]()).items():
            if isinstance(value, torch.Tensor):
                yield prefix + name, value
            elif isinstance(value, _Module):
                yield from value.weights(f"{prefix}{name}.")


class _Archive(pickle.Unpickler):
    """Reads the attributes of a TorchScript archive. No class of it is made, no code of it is compiled."""

    def __init__(self, archive: zipfile.ZipFile, root: str) -> None:
        super().__init__(BytesIO(_member(archive, f"{root}/data.pkl", _MAX_PICKLE)))
        self._archive = archive
        self._root = root

    def weights(self) -> Weights:
        """The tensors by name."""
        try:
            top = self.load()
            found = dict(top.weights()) if isinstance(top, _Module) else None
        except _SENSELESS as error:
            raise _NotReadable(f"a damaged TorchScript archive: {_first_line(error)}") from error
        if found is None:
            raise _NotReadable("a TorchScript archive without a module")
        return found

    def find_class(self, module_name: str, global_name: str, /) -> Any:
        """The inert stand-in of a class. Raises `UnpicklingError` for what no such archive needs."""
        if module_name.startswith("__torch__"):
            return _Module
        match module_name, global_name:
            case "torch._utils", "_rebuild_tensor_v2":
                return _tensor
            case "torch", name if name in _STORAGES:
                return _STORAGES[name]
            case "collections", "OrderedDict":
                return OrderedDict
            case _:
                raise pickle.UnpicklingError(f"it asks for {module_name}.{global_name}")

    def persistent_load(self, pid: Any, /) -> torch.Tensor:
        """The elements of a storage, flat."""
        match pid:
            case ("storage", torch.dtype() as dtype, str(key), _, int(count)):
                size = count * dtype.itemsize
                data = _member(self._archive, f"{self._root}/data/{key}", size)
                if len(data) != size:
                    raise _NotReadable(f"{len(data)} bytes for {count} numbers")
                return torch.frombuffer(bytearray(data), dtype=dtype) if data else torch.empty(0, dtype=dtype)
            case _:
                raise pickle.UnpicklingError("its weights are stored in an unknown way")


def _tensor(
    storage: torch.Tensor, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_: Any
) -> Any:
    try:
        return storage.as_strided(size, stride, offset)
    except RuntimeError as error:
        raise _NotReadable(f"a tensor that does not fit its storage: {error}") from error


def _member(archive: zipfile.ZipFile, name: str, most: int) -> bytes:
    if archive.getinfo(name).file_size > most:
        raise _NotReadable(f"{name} is larger than it can be")
    return archive.read(name)


def _bare(content: object) -> Weights:
    """The tensors by their published names."""
    if isinstance(content, Mapping) and isinstance(content.get("state_dict"), Mapping):
        content = content["state_dict"]
    if not isinstance(content, Mapping):
        raise _NotReadable("there are no weights in it")
    tensors = {str(name): value for name, value in content.items() if isinstance(value, torch.Tensor)}
    return {name.removeprefix(_PREFIX): value for name, value in tensors.items()}


def _differences(found: Weights, expected: Mapping[str, tuple[int, ...]]) -> Iterator[str]:
    missing = [name for name in expected if name not in found and not name.endswith(_COUNTERS)]
    unexpected = [name for name in found if name not in expected]
    shared = [name for name in expected if name in found]
    other = [name for name in shared if tuple(found[name].shape) != expected[name]]
    if (unexpected or other) and any("face_encoder" in name for name in found):
        yield (
            "this is a relative of Wav2Lip, such as those for faces of 192, 256, 288 or 384 pixels; "
            "the engine takes the published network for 96 pixels"
        )
    if missing:
        yield f"missing {_some(missing)}"
    if unexpected:
        yield f"unexpected {_some(unexpected)}"
    if other:
        yield "wrong shape: " + _some(
            f"{name} {tuple(found[name].shape)} instead of {expected[name]}" for name in other
        )


def _some(names: Iterable[str]) -> str:
    listed = list(names)
    more = f" and {len(listed) - _NAMED} more" if len(listed) > _NAMED else ""
    return ", ".join(listed[:_NAMED]) + more


def _single(weight: torch.Tensor) -> torch.Tensor:
    return weight.detach().to(torch.float32).contiguous() if weight.is_floating_point() else weight.detach()


def _refuse(path: Path, why: str) -> NoReturn:
    raise Unmet(Reason.WEIGHTS_MISSING, f"{path.name} is no checkpoint of Wav2Lip that can be used: {why}")
