"""`mouthpiece up`."""

from __future__ import annotations

import asyncio
import signal
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from mouthpiece.cli.console import err, out
from mouthpiece.settings import CommonSettings, GatewaySettings
from mouthpiece.suite import Phase, Service, Suite, SuiteConfig
from mouthpiece.suite.layout import GATEWAY_PORT

_PHASE = {Phase.SERVING: "good", Phase.CRASHED: "bad", Phase.STARTING: "busy"}


def read_config(
    workers: int | None, data: Path | None, grpc_port: int | None, http_port: int | None
) -> SuiteConfig:
    """What the options ask for; what they leave open comes from environment and file. Raises `BadInput`."""
    common = CommonSettings.read()
    gateway = GatewaySettings.read()
    port = gateway.port if grpc_port is None else grpc_port
    told = gateway.http_port if "http_port" in gateway.model_fields_set else None
    http = told if http_port is None else http_port
    return SuiteConfig(data or common.data, workers, port, common.drain_seconds, http_port=http)


async def keep_up(config: SuiteConfig) -> None:
    """Run a suite until SIGINT, SIGTERM or SIGHUP; a second one does not wait for running work."""
    suite = Suite(config, on_change=_tell)
    serving = asyncio.create_task(_serve(suite))
    hurried: list[asyncio.Task[None]] = []

    def signalled() -> None:
        if serving.cancelling():
            hurried.append(asyncio.create_task(suite.kill()))
        else:
            serving.cancel()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, signalled)
    with suppress(asyncio.CancelledError):
        await serving
    await asyncio.gather(*hurried)
    err().print("stopped")


async def _serve(suite: Suite) -> None:
    async with suite:
        out().print(_services(suite))
        out().print(
            f"\n[good]ready[/] at [bold]{suite.address}[/]; data and logs are in {escape(str(suite.data))}\n"
            f"[key]look[/] [bold]{suite.http_url}[/]\n"
            f"[key]try[/]  mouthpiece generate {_where(suite)}--text 'Hello there.' -o hello.mp4\n"
            "[key]stop with Ctrl-C[/]\n",
            soft_wrap=True,
        )
        try:
            await asyncio.Event().wait()
        finally:
            err().print("stopping when running work has ended; Ctrl-C again stops at once")


def _where(suite: Suite) -> str:
    """The option that finds this gateway, unless it is where everyone looks."""
    port = suite.services[-1].plan.port
    return "" if port == GATEWAY_PORT else f"--gateway localhost:{port} "


def _services(suite: Suite) -> Table:
    table = Table(box=SIMPLE_HEAD, header_style="key", pad_edge=False, show_edge=False)
    for name in ("service", "address", "process", "device", "log"):
        table.add_column(name, no_wrap=True)
    for service in suite.services:
        pid = str(service.child.pid) if service.child else ""
        table.add_row(
            service.plan.name, service.plan.address, pid, service.plan.device, escape(service.log.name)
        )
    return table


def _tell(service: Service) -> None:
    if service.phase is Phase.STARTING and not service.restarts:
        return  # nobody needs to read that what is being started starts
    style = _PHASE.get(service.phase, "key")
    more = f": {service.said}" if service.phase is Phase.CRASHED else ""
    time = datetime.now().astimezone().strftime("%H:%M:%S")
    err().print(f"[key]{time}[/]  {service.plan.name:<12} [{style}]{service.phase.value}[/]{escape(more)}")
