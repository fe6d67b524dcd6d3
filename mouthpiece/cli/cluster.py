"""`mouthpiece workers`, `voices`, `normalize` and `engines`."""

from __future__ import annotations

from collections.abc import Mapping

from mouthpiece.cli import tables
from mouthpiece.cli.console import err, out, print_json
from mouthpiece.cli.running import ask
from mouthpiece.client.report import cluster_report, plain


def workers(gateway: str, *, as_json: bool) -> None:
    """Show workers and queue."""
    found = ask(gateway, lambda client: client.cluster())
    if as_json:
        print_json(cluster_report(found))
    else:
        out().print(tables.workers(found))


def voices(gateway: str, language: str, *, as_json: bool) -> None:
    """Show the voices of one language or all."""
    found = ask(gateway, lambda client: client.voices(language))
    if as_json:
        print_json([plain(voice) for voice in found])
    elif found:
        out().print(tables.voices(found))
    else:
        err().print(f"no voice speaks {language!r}" if language else "no voices", markup=False)


def normalize(
    gateway: str, text: str, language: str, lexicon: Mapping[str, str], *, ssml: bool, as_json: bool
) -> None:
    """Show what would be said for a text."""
    found = ask(gateway, lambda client: client.normalize(text, language, ssml=ssml, pronunciations=lexicon))
    if as_json:
        print_json(plain(found))
    else:
        out().print(found.spoken, markup=False, soft_wrap=True)
        for warning in found.warnings:
            err().print(warning, markup=False, soft_wrap=True)


def engines(gateway: str, *, as_json: bool) -> None:
    """Show the engines of the workers."""
    found = ask(gateway, lambda client: client.engines())
    if as_json:
        print_json([plain(engine) for engine in found])
    elif found:
        out().print(tables.engines(found))
    else:
        err().print("no worker is up")
