"""`wick up`: the whole platform on this machine, for the functions in some files."""

import asyncio
import logging
import os
import signal
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from wick_api import names
from wick_api.settings import SettingInvalid
from wick_cli.failure import CommandFailed, InvalidFile
from wick_cli.project import read

if TYPE_CHECKING:
    from wick_cli.local.site import LocalSite

SWITCH_INTERVAL = 0.0005
"""Seconds after which the admin thread gives way to the data plane, as in the router's own process."""


@click.command(
    epilog="""\b
Examples:
  wick up examples              everything in a folder, at http://127.0.0.1:8080
  wick up hello greetings.yaml  a function folder and a file
  wick up . --port 9000         another port; the other commands then take --local --port 9000

A function answers at /function/NAMESPACE/NAME/, runs nothing while idle, starts with the first request, and is replaced
without a failed request when its files change. The public port serves those with `visibility: public` alone, as a
cluster does for callers from outside. Ctrl-C stops everything."""
)
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8080, show_default=True, type=click.IntRange(0, 65535), help="Port; 0 is any free one.")
@click.option(
    "--admin-port", type=click.IntRange(0, 65535), help="Port of metrics and admin API; 9401 or any free one."
)
@click.option(
    "--public-port", type=click.IntRange(0, 65535), help="Port of public functions alone; 8082 or any free one."
)
@click.option("--pool", default=2, show_default=True, type=click.IntRange(1, 64), help="Runtimes kept ready.")
@click.option("--reload/--no-reload", default=True, help="Follow changes of the files.")
@click.option("--plain", is_flag=True, help="Lines instead of the live table, even in a terminal.")
def command(  # noqa: PLR0913 - click's options
    *,
    paths: tuple[Path, ...],
    host: str,
    port: int,
    admin_port: int | None,
    public_port: int | None,
    pool: int,
    reload: bool,
    plain: bool,
) -> None:
    """Run the functions in PATHS on this machine; reload them as you edit."""
    project = read(paths)
    if not project.functions:
        raise InvalidFile("\n".join(map(str, project.problems)) or f"no Function in {', '.join(map(str, paths))}")
    if not _free(host, port):
        raise CommandFailed(f"port {port} of {host} is in use, perhaps by another `wick up`; choose one with --port")
    if admin_port is None:
        admin_port = names.ROUTER_ADMIN_PORT if _free("127.0.0.1", names.ROUTER_ADMIN_PORT) else 0
    elif not _free("127.0.0.1", admin_port):
        raise CommandFailed(f"port {admin_port} is in use; choose one with --admin-port")
    if public_port is None:
        wanted = names.ROUTER_PUBLIC_PORT
        public_port = wanted if port and wanted not in {port, admin_port} and _free(host, wanted) else 0
    elif not _free(host, public_port):
        raise CommandFailed(f"port {public_port} of {host} is in use; choose one with --public-port")

    from wick_cli.local.screen import Plain, Terminal  # noqa: PLC0415 - `--help` stays light
    from wick_cli.local.site import LocalSettings, LocalSite  # noqa: PLC0415 - `--help` stays light
    from wick_router.proxy.tracing import configured  # noqa: PLC0415 - `--help` stays light

    try:
        tracing = configured(os.environ)
    except SettingInvalid as error:
        raise CommandFailed(str(error)) from error
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    sys.setswitchinterval(SWITCH_INTERVAL)
    screen = Plain() if plain or not sys.stdout.isatty() else Terminal()
    settings = LocalSettings(paths, host, port, admin_port, public_port, pool, reload)
    try:
        _run(LocalSite(settings, project, screen, tracing))
    finally:
        screen.close()


def _run(site: "LocalSite") -> None:
    import uvloop  # noqa: PLC0415 - `--help` stays light

    async def until_told() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, stop.set)
        await site.run(stop)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(until_told())


def _free(host: str, port: int) -> bool:
    """Whether `port` could be listened on a moment ago; 0 always can."""
    if port == 0:
        return True
    try:
        with socket.create_server((host, port)):
            return True
    except OSError:
        return False
