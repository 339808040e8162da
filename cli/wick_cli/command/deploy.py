"""`wick deploy`: apply, then wait until each function is ready or hopeless."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from wick_api.names import Key
from wick_api.reason import Reason
from wick_cli.document.manifest import Document
from wick_cli.failure import CommandFailed, InvalidFile, TooLate
from wick_cli.output import condition, printable, structured
from wick_cli.platform import Platform, Shown
from wick_cli.project import Project, read
from wick_cli.target import PlatformTarget, target_options

HOPELESS = {
    Reason.INVALID_SPEC,
    Reason.RUNTIME_UNKNOWN,
    Reason.LOAD_FAILED,
    Reason.NOT_OWNED,
    Reason.ROUTE_CONFLICT,
    Reason.HOST_NOT_ALLOWED,
    Reason.ROUTE_UNREACHABLE,
}
"""Only an edit helps, so nothing is worth waiting for."""
_POLL_SECONDS = 0.5


@click.command(
    epilog="""\b
Examples:
  wick deploy hello             a folder with function.yaml and the code beside it
  wick deploy examples          all *.yaml in a folder
  wick deploy hello --no-wait
  wick deploy hello --dry-run > hello.yaml   one file for `kubectl apply -f`"""
)
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--wait/--no-wait", default=True, help="Wait until the functions are ready.")
@click.option("--timeout", default=120.0, show_default=True, help="Seconds to wait, for all of them together.")
@click.option("--dry-run", is_flag=True, help="Print what would be applied, files of code included; send nothing.")
@target_options
def command(*, target: PlatformTarget, paths: tuple[Path, ...], wait: bool, timeout: float, dry_run: bool) -> None:
    """Apply functions, and the ConfigMaps and Secrets beside them, and wait until they are ready."""
    if dry_run:
        documents = _documents(read(paths, target.namespace or "default"))
        click.echo("\n---\n".join(structured(document.manifest, "yaml") for document in documents))
        return
    platform = target.open()
    project = read(paths, platform.namespace)
    for document in _documents(project):
        metadata = document.manifest["metadata"]
        click.echo(f"{document.manifest['kind']} {metadata['namespace']}/{metadata['name']} {platform.apply(document)}")
    if wait:
        wait_until_ready(platform, list(project.functions), time.monotonic() + timeout, time.monotonic)


def _documents(project: Project) -> list[Document]:
    """What to apply, what functions refer to first; `InvalidFile` with every problem when there is one."""
    problems = [
        *map(str, project.problems),
        *(
            str(other.problem(f"kind: {other.manifest.get('kind')!r} is not for wick; apply it with kubectl"))
            for other in project.others
        ),
    ]
    if problems:
        raise InvalidFile("\n".join(problems))
    functions = [authored.document for authored in project.functions.values()]
    if not functions:
        raise InvalidFile("no Function in the given paths")
    documents = [*project.config_maps.values(), *project.secrets.values(), *functions]
    for warning in project.warnings:
        click.echo(f"Warning: {warning}", err=True)
    return documents


@dataclass(frozen=True)
class Progress:
    """Where one function stands."""

    ready: bool
    hopeless: bool
    text: str


def progress(shown: Shown) -> Progress:
    """Read a Function's status; one that is about an older spec says nothing yet."""
    status: dict[str, Any] = dict(shown.get("status") or {})
    generation = shown["metadata"].get("generation", 0)
    ready = condition(shown, "Ready")
    if status.get("observedGeneration", 0) < generation or not ready:
        return Progress(ready=False, hopeless=False, text="waiting for the operator")
    text = str(status.get("why") or ready.get("message") or ready.get("reason"))
    if ready["status"] == "True":
        return Progress(ready=True, hopeless=False, text=text)
    return Progress(ready=False, hopeless=ready.get("reason") in HOPELESS, text=text)


def wait_until_ready(platform: Platform, keys: list[Key], until: float, clock: Callable[[], float]) -> None:
    """Print each change of each function's state; `CommandFailed` when one is hopeless, `TooLate` at the deadline."""
    last: dict[Key, Progress] = {}
    while True:
        for key in [key for key in keys if key not in last or not last[key].ready]:
            now = progress(platform.function(key))
            if last.get(key) != now:
                last[key] = now
                click.echo(f"{key}: {'ready' if now.ready else printable(now.text)}", err=True)
            if now.hopeless:
                raise CommandFailed(f"{key}: {printable(now.text)}")
        waiting = list(_not_ready(last))
        if not waiting:
            return
        if clock() >= until:
            raise TooLate("not ready in time: " + "; ".join(waiting))
        time.sleep(_POLL_SECONDS)


def _not_ready(last: dict[Key, Progress]) -> Iterator[str]:
    return (f"{key}: {printable(state.text)}" for key, state in last.items() if not state.ready)
