"""This tree beside another commit: `make bench-compare BASE=<commit>`.

Both trees are measured in turn, BASE first in every even round and this one first in every odd one, so that a machine
whose speed drifts does so for both. The ratio of each round's pair is taken, this tree's figure by BASE's, and the
median and the span of the ratios are printed: below 1 is cheaper. Figures, all of them CPU but the memory:

- router: a warm request in our own code (`router/hotpath.py`), compiled to C as in its image, and its metrics page
- runtime: exec to the first 200, a request over a socket (`runtime/bench.py`, async and sync handler), idle memory
- autoscaler: a tick with 10,000 active functions (`autoscaler/tick.py`)

Each tree runs its own copy of these scripts. BASE is checked out, and both routers are compiled, in the cache folder.
Exit status 1 where a figure's median is worse by more than `--worse` percent (3) and so are three quarters of its
rounds.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import figures
import verdict

ROOT = Path(__file__).parents[2]
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "kubewick" / "bench-compare"


def checked_out(base: str) -> Path:
    """A worktree of the commit, made once."""
    command = ["git", "-C", str(ROOT), "rev-parse", "--verify", f"{base}^{{commit}}"]
    commit = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    folder = CACHE / commit
    if not (folder / "pyproject.toml").exists():
        folder.mkdir(parents=True, exist_ok=True)
        archive = subprocess.Popen(["git", "-C", str(ROOT), "archive", commit], stdout=subprocess.PIPE)
        subprocess.run(["tar", "-x", "-C", str(folder)], stdin=archive.stdout, check=True)
        if archive.wait():
            raise SystemExit(f"git archive {commit} failed")
    return folder


def rounds(trees: Sequence[figures.Tree], count: int, only: str) -> Iterator[list[dict[str, float]]]:
    """The two trees' figures, round by round, in the order of `trees`."""
    for number in range(count):
        found: dict[int, dict[str, float]] = {}
        for at in (0, 1) if number % 2 == 0 else (1, 0):
            found[at] = figures.measure(trees[at], only)
        print(f"round {number + 1} of {count}", file=sys.stderr, flush=True)
        yield [found[0], found[1]]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("base", help="a commit")
    parser.add_argument("--rounds", type=int, default=9, help="how often each tree is measured (9)")
    parser.add_argument("--worse", type=float, default=3.0, help="percent that a figure may be worse (3)")
    parser.add_argument("--only", default="", help="figures whose part is this: router, runtime or autoscaler")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        trees = [
            figures.prepared(folder, Path(scratch) / name)
            for folder, name in ((checked_out(given.base), "base"), (ROOT, "this"))
        ]
        pairs = list(rounds(trees, given.rounds, given.only))
    rows = verdict.rows(pairs, given.worse)
    print("\n".join(verdict.table(rows)))
    return int(any(row.worse for row in rows))


if __name__ == "__main__":
    sys.exit(main())
