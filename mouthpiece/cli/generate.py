"""`mouthpiece generate`, `plan` and `watch`."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from rich.markup import escape

from mouthpiece.cli import tables
from mouthpiece.cli.console import err, out, print_json
from mouthpiece.cli.display import display
from mouthpiece.cli.errors import Interrupted
from mouthpiece.cli.running import connected, private_suite
from mouthpiece.cli.wish import Wish
from mouthpiece.cli.words import size
from mouthpiece.client import Client
from mouthpiece.client.files import check_readable, check_writable
from mouthpiece.client.report import job_report, plan_report
from mouthpiece.errors import NotFound
from mouthpiece.v1 import gateway_pb2


@asynccontextmanager
async def _gateway(address: str, *, start: bool) -> AsyncGenerator[str]:
    if not start:
        yield address
        return
    async with private_suite(None) as private:
        yield private


async def generate(wish: Wish, output: Path, stats: Path | None, gateway: str, *, start: bool) -> None:
    """Make a video and show how it goes. What is wrong on this side is found before anything is started."""
    check_writable(output, "output")
    if stats is not None:
        check_writable(stats, "stats")
    check_inputs(wish)
    async with _gateway(gateway, start=start) as address:
        job = await _make(wish, output, address)
    if stats is not None:
        write_statistics(stats, job)
    for warning in job.warnings:
        err().print(f"[warn]note:[/] {escape(warning)}", soft_wrap=True)
    out().print(f"[bold]{escape(str(output))}[/]  {tables.summary(job)}", soft_wrap=True)


def check_inputs(wish: Wish) -> None:
    """Find what is wrong with the request without asking anyone. Raises `BadInput`."""
    for field, path in (("audio", wish.audio), ("avatar", wish.avatar)):
        if path is not None:
            check_readable(path, field)
    reference = wish.options.voice_reference
    if reference and reference != "avatar":
        check_readable(Path(reference), "voice_reference")
    background = wish.options.background
    if background and not background.startswith("#"):
        check_readable(Path(background), "background")
    if wish.audio is None:
        wish.options.spec(text=wish.text)


async def _make(wish: Wish, output: Path, address: str) -> gateway_pb2.Job:
    shown = display(err())
    async with connected(address, shown.on_retry) as client:
        with shown:
            try:
                return await client.generate(
                    output,
                    text=wish.text,
                    audio=wish.audio,
                    avatar=wish.avatar,
                    options=wish.options,
                    on_event=shown.on_event,
                    on_upload=shown.on_upload,
                    on_download=shown.on_download,
                )
            except asyncio.CancelledError:
                job_id = shown.view.job.id
                called_off = f"; job {job_id} was called off" if job_id else ""
                raise Interrupted(f"interrupted{called_off}") from None


def write_statistics(path: Path, job: gateway_pb2.Job) -> None:
    """Write everything about a job as JSON."""
    path.write_text(json.dumps(job_report(job), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


async def plan(wish: Wish, gateway: str, *, as_json: bool) -> None:
    """Show what `generate` would do."""
    check_inputs(wish)
    shown = display(err())
    async with connected(gateway, shown.on_retry) as client:
        spec = await client.prepare(
            text=wish.text,
            audio=wish.audio,
            avatar=wish.avatar,
            options=wish.options,
            on_upload=shown.on_upload,
        )
        found = await client.plan(spec)
    if as_json:
        print_json(plan_report(found))
    else:
        out().print(tables.plan(found, out().width))


async def watch(job_id: str, gateway: str) -> None:
    """Show a job until it ends. Raises `JobFailed` or `JobCancelled`."""
    shown = display(err())
    async with connected(gateway, shown.on_retry) as client:
        with shown:
            job = await client.follow(job_id, shown.on_event)
    out().print(f"[bold]{job.id}[/]  {tables.summary(job)}", soft_wrap=True)


async def download(client: Client, job_id: str, output: Path, *, captions: bool = False) -> None:
    """Fetch a finished video, and its captions beside it."""
    shown = display(err())
    with shown:
        content = await client.download(job_id, output, on_bytes=shown.on_download)
    out().print(f"[bold]{escape(str(output))}[/]  {size(content.size_bytes)}", soft_wrap=True)
    if captions:
        written = await client.download_captions(await client.get_job(job_id), output)
        if not written:
            raise NotFound(f"job {job_id} has no captions")
        for path in written:
            out().print(f"[bold]{escape(str(path))}[/]", soft_wrap=True)
