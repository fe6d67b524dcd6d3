"""`mouthpiece jobs`, `job`, `cancel`, `delete` and `download`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from mouthpiece.cli import tables
from mouthpiece.cli.console import err, out, print_json
from mouthpiece.cli.generate import download as fetch
from mouthpiece.cli.running import ask
from mouthpiece.client import Client
from mouthpiece.client.files import destination
from mouthpiece.client.report import job_report, job_summary
from mouthpiece.errors import BadInput
from mouthpiece.rpc.states import state_name


def list_jobs(gateway: str, states: Sequence[str], limit: int, *, as_json: bool) -> None:
    """Show jobs, newest first."""
    found = ask(gateway, lambda client: client.list_jobs(states, limit))
    if as_json:
        print_json([job_summary(job) for job in found])
    elif found:
        out().print(tables.jobs(found, datetime.now(UTC)))
    else:
        err().print("no jobs")


def report(gateway: str, job_id: str, *, as_json: bool) -> None:
    """Show everything about a job."""
    found = ask(gateway, lambda client: client.get_job(job_id))
    if as_json:
        print_json(job_report(found))
    else:
        out().print(tables.job(found, out().width))


def cancel(gateway: str, job_id: str) -> None:
    """Stop a job."""
    found = ask(gateway, lambda client: client.cancel(job_id))
    out().print(f"{found.id} is {state_name(found.state)}", soft_wrap=True)


def delete(gateway: str, job_id: str) -> None:
    """Forget a job."""
    ask(gateway, lambda client: client.delete(job_id))
    out().print(f"{job_id} is forgotten", soft_wrap=True, markup=False)


def download(gateway: str, job_id: str, output: Path, *, captions: bool, follow: bool) -> None:
    """Fetch a finished video, and its captions if wanted; or one that grows."""
    if follow:
        ask(gateway, lambda client: _grow(client, job_id, output))
    else:
        ask(gateway, lambda client: fetch(client, job_id, output, captions=captions))


async def _grow(client: Client, job_id: str, output: Path) -> None:
    try:
        with destination(output, "output").open("wb") as file:
            async for block in client.stream(job_id):
                file.write(block)
                file.flush()
    except OSError as error:
        raise BadInput("output", f"{output} cannot be written: {error.strerror or error}") from None
