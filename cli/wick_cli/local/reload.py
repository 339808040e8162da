"""Noticing edits: the stamps of the watched files, twice a second.

Polling, because the standard library has nothing that notices changes on both Linux and macOS; 500 files cost a
helper thread a few milliseconds twice a second. A file that is broken in the middle of an edit doesn't take its
functions away: `keep_serving` keeps what it said before.
"""

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

from wick_cli.project import Project, watched_files

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
    """Add to `now` the functions of `before` whose file has a problem now."""
    broken = {problem.file for problem in now.problems}
    kept = {
        key: authored
        for key, authored in before.functions.items()
        if key not in now.functions and authored.document.file in broken
    }
    return dataclasses.replace(now, functions=now.functions | kept)


async def edits(paths: Callable[[], Sequence[Path]], period: float = PERIOD) -> AsyncIterator[None]:
    """Yield after each change of the files under `paths`, which is asked anew each time; runs until cancelled."""
    seen = await asyncio.to_thread(stamps, paths())
    while True:
        await asyncio.sleep(period)
        found = await asyncio.to_thread(stamps, paths())
        if found != seen:
            seen = found
            yield
