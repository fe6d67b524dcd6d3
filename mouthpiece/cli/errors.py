"""Every way for a command to end: one readable line, and an exit code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import typer

from mouthpiece.errors import (
    BadInput,
    Busy,
    MouthpieceError,
    Reason,
    Unauthenticated,
    Unavailable,
    Unmet,
)

FAILED = 1
WRONG_USE = 2
INTERRUPTED = 130

# typer keeps its copy of click private, but not the place of its errors in the tree.
_UsageError: type[Exception] = next(
    kind
    for kind in typer.BadParameter.__mro__
    if issubclass(kind, Exception) and kind.__name__ == "UsageError"
)

_OPTIONS = {
    "audio_sha256": "--audio",
    "avatar_sha256": "--avatar",
    "voice_reference_sha256": "--voice-reference",
    "chunk_length": "--chunk-seconds",
    "color": "--background",
    "picture_sha256": "--background",
    "states": "--state",
    "ignore_cache": "--no-cache",
    "previous_job_id": "--edit",
    "pronunciations": "--lexicon",
    "markup": "--ssml",
    "enhancement": "--enhance",
    "consent_reference": "--consent",
    "label.text": "--label",
    "label.corner": "--label-corner",
    "label.opacity": "--label-opacity",
}
"""Options by the last part of the field that they fill, or the last two, where they are not named alike."""

_ARGUMENTS = {"file": "FILE", "name": "NAME", "scenario": "SCENARIO"}
"""What is given without an option, as the help of its command calls it."""

_HINTS = {
    Reason.NO_FACE: "choose a picture or video in which a face is seen from the front",
    Reason.ENGINE_UNKNOWN: "`mouthpiece engines` lists those that are there",
    Reason.ENGINE_UNAVAILABLE: "the worker's log and the page of the engine in docs/ tell what it needs",
    Reason.WEIGHTS_MISSING: "`mouthpiece doctor` tells how to get them",
    Reason.ENCODER_MISSING: "`mouthpiece workers --json` lists what each can encode with",
    Reason.JOB_NOT_DONE: "`mouthpiece watch` waits for it",
    Reason.JOB_RUNNING: "`mouthpiece cancel` stops it",
    Reason.VOICE_FAILED: "allow a fallback with --voice-fallback, or see the log of the speech service",
}

_FIELD_HINTS = {
    "voice": "`mouthpiece voices` lists those that are there",
    "language": "`mouthpiece voices` lists those that are there",
    "http_port": "choose another with --http-port",
    "grpc_port": "choose another with --grpc-port, or use what runs there with --gateway",
}


class Interrupted(Exception):
    """The user has had enough. The message tells what became of the work."""

    def __init__(self, message: str = "interrupted") -> None:
        super().__init__(message)


def option_of(field: str) -> str:
    """The option or argument that a field of a request comes from."""
    names = field.split(".")
    told = _OPTIONS | _ARGUMENTS
    known = (told[name] for name in (".".join(names[-2:]), names[-1]) if name in told)
    return next(known, "--" + names[-1].replace("_", "-")) if field else ""


def explain(error: MouthpieceError) -> str:
    """What happened and what to do about it, on one line."""
    match error:
        case BadInput():
            return _explain_bad_input(error)
        case Unmet():
            return f"{error.message}; {_HINTS[error.reason]}"
        case Busy():
            return f"{error.message}; try again in {error.retry_after:.0f} s"
        case Unavailable():
            return f"{error.message}; start a suite with `mouthpiece up`, or name another with --gateway"
        case Unauthenticated():
            return f"{error.message}; put a valid one into MOUTHPIECE_TOKEN"
        case _:
            return error.message


def _explain_bad_input(error: BadInput) -> str:
    told = [f"{option_of(v.field)}: {v.description}" if v.field else v.description for v in error.violations]
    hint = _FIELD_HINTS.get(error.violations[0].field.rpartition(".")[2])
    return "; ".join([*told, hint] if hint else told)


def exit_code(error: MouthpieceError) -> int:
    """2 for a request that is wrong, 1 for everything else."""
    return WRONG_USE if isinstance(error, BadInput) else FAILED


def complain(message: str) -> None:
    """Write one line about what went wrong."""
    from mouthpiece.cli.console import err

    err().print(f"[bad]mouthpiece:[/] {_plain(message)}", soft_wrap=True)


def guarded(program: Callable[[], Any]) -> int:
    """Run a program to its exit code, whatever happens in it."""
    try:
        return int(program() or 0)
    except MouthpieceError as error:
        complain(explain(error))
        return exit_code(error)
    except _UsageError as error:
        message = _wrong_use(error)
        if message:  # otherwise help was printed, for want of a command
            complain(message)
        return WRONG_USE
    except Interrupted as error:
        complain(str(error))
        return INTERRUPTED
    except BrokenPipeError:
        return FAILED  # whoever read our output has gone
    except OSError as error:
        complain(f"{error.filename or 'this machine'}: {error.strerror or error}")
        return FAILED


def _wrong_use(error: Any) -> str:
    """What typer says, without the prefix of its validator."""
    said = str(error.format_message()).replace("Value error, ", "").removesuffix(".")
    return f"{said}; see --help" if said else ""


def _plain(message: str) -> str:
    from rich.markup import escape

    return escape(" ".join(message.split()))
