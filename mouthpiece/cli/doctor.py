"""`mouthpiece doctor`: is this machine ready, and if not, what is to be done?"""

from __future__ import annotations

import asyncio
import platform
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from enum import Enum
from importlib import import_module
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as package_version

from rich.markup import escape

from mouthpiece import __version__
from mouthpiece.cli.console import out, print_json
from mouthpiece.cli.words import count, size
from mouthpiece.client import Client, Patience
from mouthpiece.errors import Forbidden, MouthpieceError, Unauthenticated, Unavailable
from mouthpiece.settings import CommonSettings, GatewaySettings
from mouthpiece.suite import look_around
from mouthpiece.suite.ports import is_free

_LOW_DISK = 5 << 30
_OLDEST_PYTHON = (3, 11)
_REINSTALL = "pip install --force-reinstall"
_PACKAGES = {
    "gateway": ("grpcio", "protobuf", "sqlalchemy", "aiosqlite", "obstore"),
    "tts": ("espeakng-loader", "numpy", "scipy", "soxr", "pydub", "av"),
    "lipsync": ("ai-edge-litert", "opencv-python-headless", "av", "numpy", "nvidia-ml-py"),
    "merger": ("av", "numpy"),
}


class Verdict(Enum):
    """What a check found: fine, worth knowing, or in the way."""

    OK = "ok"
    NOTE = "note"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: what was looked at, what was found, and what to do unless it is fine."""

    subject: str
    verdict: Verdict
    found: str
    remedy: str = ""


_STYLE = {Verdict.OK: "good", Verdict.NOTE: "warn", Verdict.WRONG: "bad"}
Check = Callable[[], Iterator[Finding]]


def examine(gateway: str, *, as_json: bool) -> int:
    """Run every check, one line each; 1 when something is in the way."""
    found: list[Finding] = []
    for finding in _findings(gateway):
        found.append(finding)
        if not as_json:
            _print(finding)  # at once: some checks take seconds
    wrong = sum(finding.verdict is Verdict.WRONG for finding in found)
    if as_json:
        print_json([asdict(finding) | {"verdict": finding.verdict.value} for finding in found])
    else:
        out().print("[good]all is well[/]" if not wrong else f"[bad]{count(wrong, 'problem')}[/]")
    return 1 if wrong else 0


def _findings(gateway: str) -> Iterator[Finding]:
    checks: list[Check] = [
        _python,
        _packages,
        _face_models,
        _speech,
        _encoder,
        _devices,
        _disk,
        lambda: _reachable(gateway),
    ]
    for check in checks:
        yield from check()


def _print(finding: Finding) -> None:
    style = _STYLE[finding.verdict]
    remedy = f"  [bold]→ {escape(finding.remedy)}[/]" if finding.remedy else ""
    line = f"[{style}]{finding.verdict.value:<5}[/]  {finding.subject:<12}  {escape(finding.found)}{remedy}"
    out().print(line, soft_wrap=True)


def _ok(subject: str, found: str) -> Finding:
    return Finding(subject, Verdict.OK, found)


def _note(subject: str, found: str, remedy: str) -> Finding:
    return Finding(subject, Verdict.NOTE, found, remedy)


def _wrong(subject: str, found: str, remedy: str) -> Finding:
    return Finding(subject, Verdict.WRONG, found, remedy)


def _python() -> Iterator[Finding]:
    system = f"{platform.system()} {platform.machine()}"
    found = f"{platform.python_version()} on {system}, mouthpiece {__version__}"
    if sys.version_info[:2] < _OLDEST_PYTHON:
        yield _wrong("python", found, "use Python 3.11 or newer")
    else:
        yield _ok("python", found)


def _packages() -> Iterator[Finding]:
    for extra, names in _PACKAGES.items():
        versions = {name: _version(name) for name in names}
        missing = [name for name, found in versions.items() if found is None]
        if missing:
            remedy = f"pip install 'mouthpiece[{extra}]', unless this machine does not run that service"
            yield _note(extra, f"not installed: {', '.join(missing)}", remedy)
        else:
            yield _ok(extra, ", ".join(f"{name} {found}" for name, found in versions.items()))


def _version(package: str) -> str | None:
    try:
        return package_version(package)
    except PackageNotFoundError:
        return None


def _face_models() -> Iterator[Finding]:
    with suppress(ImportError):
        models = import_module("services.lipsync.avatar.models")
        folder = CommonSettings.read().models or models.default_models_dir()
        missing = [model.name for model in models.FACE_MODELS if not (folder / model.name).is_file()]
        if missing:
            remedy = f"python scripts/fetch_face_models.py {folder}"
            yield _wrong("face models", f"missing: {', '.join(missing)}", remedy)
        else:
            yield _ok("face models", str(folder))


def _speech() -> Iterator[Finding]:
    with suppress(ImportError):
        espeak = import_module("services.tts.espeak")
        try:
            said = espeak.speak("Hello.", "gmw/en-US")
        except (MouthpieceError, OSError) as error:
            yield _wrong("speech", f"espeak-ng fails: {error}", f"{_REINSTALL} espeakng-loader")
        else:
            yield _ok("speech", f"espeak-ng speaks ({len(said.pcm) / espeak.RATE:.1f} s of sound)")


def _encoder() -> Iterator[Finding]:
    with suppress(ImportError):
        av = import_module("av")
        try:
            for codec in ("libx264", "aac"):
                av.CodecContext.create(codec, "w")
        except av.error.FFmpegError as error:
            yield _wrong("encoder", f"PyAV {av.__version__}: {error}", f"{_REINSTALL} av")
        else:
            yield _ok("encoder", f"libx264 and aac of PyAV {av.__version__}")


def _devices() -> Iterator[Finding]:
    machine = look_around()
    gpus = ", ".join(f"{gpu.name} ({size(gpu.memory_bytes)})" for gpu in machine.gpus) or "no NVIDIA GPU"
    workers = f"`mouthpiece up` would start {count(machine.workers, 'worker')}"
    yield _ok("devices", f"{count(machine.cores, 'core')}, {gpus}: {workers}")


def _disk() -> Iterator[Finding]:
    data = CommonSettings.read().data.absolute()
    folder = next(folder for folder in (data, *data.parents) if folder.is_dir())
    free = shutil.disk_usage(folder).free
    found = f"{size(free)} free for {data}"
    if free < _LOW_DISK:
        yield _note("disk", found, "make room, or choose another folder with --data")
    else:
        yield _ok("disk", found)


def _reachable(gateway: str) -> Iterator[Finding]:
    try:
        yield _ok("gateway", f"{gateway} answers: {asyncio.run(_look(gateway))}")
    except Unavailable:
        yield _nobody(gateway)
    except Forbidden:
        yield _ok("gateway", f"{gateway} answers; to see its workers takes a token with the scope admin")
    except Unauthenticated as error:
        yield _note("gateway", f"{gateway} answers: {error.message}", "put a valid one into MOUTHPIECE_TOKEN")
    except MouthpieceError as error:
        yield _wrong("gateway", f"{gateway} answers: {error.message}", "see the gateway's log")


def _nobody(gateway: str) -> Finding:
    port = GatewaySettings.read().port
    found = f"nothing answers at {gateway}"
    if is_free(port):
        return _note("gateway", f"{found}; port {port} is free", "start one with `mouthpiece up`")
    return _note("gateway", f"{found}, yet port {port} is taken", "use `mouthpiece up --grpc-port`")


async def _look(gateway: str) -> str:
    async with Client(gateway, patience=Patience(0.0)) as client:
        await client.connect(3.0)
        cluster = await client.cluster()
    return f"{count(len(cluster.workers), 'worker')}, {count(cluster.running_jobs, 'job')} running"
