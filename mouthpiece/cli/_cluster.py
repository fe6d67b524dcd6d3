"""`mouthpiece workers`, `voices` and `engines`."""

from __future__ import annotations

from mouthpiece.cli import _tables
from mouthpiece.cli._console import err, out, print_json
from mouthpiece.cli._running import ask
from mouthpiece.client.report import cluster_report


def workers(gateway: str, *, as_json: bool) -> None:
    """Show workers and queue."""
    found = ask(gateway, lambda client: client.cluster())
    if as_json:
        print_json(cluster_report(found))
    else:
        out().print(_tables.workers(found))


def voices(gateway: str, language: str) -> None:
    """Show the voices of one language or all."""
    found = ask(gateway, lambda client: client.voices(language))
    if found:
        out().print(_tables.voices(found))
    else:
        err().print(f"no voice speaks {language!r}" if language else "no voices", markup=False)


def engines(gateway: str) -> None:
    """Show the engines of the workers."""
    found = ask(gateway, lambda client: client.engines())
    if found:
        out().print(_tables.engines(found))
    else:
        err().print("no worker is up")
