"""Noticing edits: the stamps of the watched files, twice a second.

Polling, because the standard library has nothing that notices changes on both Linux and macOS; 500 files cost a
helper thread a few milliseconds twice a second. A file that is broken in the middle of an edit doesn't take its
functions away: `keep_serving` keeps what it said before.
"""

import asyncio
import dataclasses
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

from wick_cli.project import Project, watched_files

log = logging.getLogger(__name__)

PERIOD = 0.5  # s

Stamps = dict[Path, tuple[int, int]]
"""Modification time in ns and size of each file."""


def stamps(paths: Sequence[Path]) -> Stamps:
    """Look at every file that can change the Project; those that vanish meanwhile are left out."""
    found: Stamps = {}
    for file in watched_files(paths):
        try:
            status = file.stat()
        except FileNotFoundError:
            continue
        found[file] = (status.st_mtime_ns, status.st_size)
    return found


def keep_serving(before: Project, now: Project) -> Project:
    """Add to `now` the functions of `before` whose file, or a folder it is in, has a problem now."""
    kept, outdated = {}, {}
    for key, authored in before.functions.items():
        file = authored.document.file
        broken = [problem for problem in now.problems if problem.file in (file, *file.parents)]
        if key not in now.functions and broken:
            kept[key], outdated[key] = authored, broken[0]
    return dataclasses.replace(now, functions=now.functions | kept, outdated=outdated)


async def edits(paths: Callable[[], Sequence[Path]], period: float = PERIOD) -> AsyncIterator[None]:
    """Yield after each change of the files under `paths`, which is asked anew each time; runs until cancelled."""
    seen = await asyncio.to_thread(stamps, paths())
    told = ""
    while True:
        await asyncio.sleep(period)
        try:
            found = await asyncio.to_thread(stamps, paths())
        except (OSError, RuntimeError) as error:  # no descriptor, no right to look, no thread: perhaps next time
            if str(error) != told:
                log.warning("cannot look for edits: %s", error)
            told = str(error)
            continue
        told = ""
        if found != seen:
            seen = found
            yield
