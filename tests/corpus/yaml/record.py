"""What the real kubectl and API server make of this folder: `python tests/corpus/yaml/record.py KUBECONFIG` writes it.

`expected.json` has, for each document, whether a strict server-side apply is accepted, and the objects kubectl reads;
`scalars.json` has texts of scalars, whether kubectl reads them, and as what.
"""

import concurrent.futures
import json
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
DOCUMENTS = sorted(HERE.glob("*.yaml"))
SCALARS = HERE / "scalars.json"
EXPECTED = HERE / "expected.json"
WORKERS = 4

HEAD = "apiVersion: kubewick.dev/v1alpha1\nkind: Function\nmetadata: {name: a}\nspec:\n  b: &b anchored\n"


def scalar_document(text):
    """A document with the scalar as a value."""
    return f"{HEAD}  v: {text}\n"


def run(kubeconfig, *words, stdin=None):
    from cluster import tools

    command = [tools.path("kubectl"), f"--kubeconfig={kubeconfig}", *words]
    return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=120, check=False)


def accepted(kubeconfig, file):
    """Whether a strict write of the file is taken whole."""
    words = ("apply", "--server-side", "--dry-run=server", "--validate=strict", "-f", file)
    return run(kubeconfig, *map(str, words)).returncode == 0


def objects(kubeconfig, *files, stdin=None):
    """What kubectl reads in the files, as it would send it; None where it refuses to."""
    words = [word for file in files for word in ("-f", str(file))] or ["-f", "-"]
    ran = run(kubeconfig, "create", "--dry-run=client", "--validate=false", "-o", "json", *words, stdin=stdin)
    if ran.returncode:
        return None
    found, rest = [], ran.stdout.strip()
    while rest:  # one JSON value behind the other
        value, end = json.JSONDecoder().raw_decode(rest)
        found += value["items"] if value["kind"] == "List" else [value]
        rest = rest[end:].lstrip()
    return found


def expected(kubeconfig):
    with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        taken = list(pool.map(lambda file: accepted(kubeconfig, file), DOCUMENTS))
        good = [file for file, fine in zip(DOCUMENTS, taken, strict=True) if fine]
        found = dict(zip(good, pool.map(lambda file: objects(kubeconfig, file), good), strict=True))
    return {file.name: found.get(file) for file in DOCUMENTS}


def scalars(kubeconfig):
    def read(text):
        found = objects(kubeconfig, stdin=scalar_document(text))
        return [text, found is not None, found[0]["spec"].get("v", "MISSING") if found else None]

    with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        return list(pool.map(read, [text for text, *_ in json.loads(SCALARS.read_text())]))


if __name__ == "__main__":
    sys.path.insert(0, str(HERE.parents[1]))
    EXPECTED.write_text(json.dumps(expected(sys.argv[1]), indent=1) + "\n")
