"""Bills of materials (CycloneDX) of the project's images: Python's packages and the base image's Debian ones.

    requirements.txt --cyclonedx-py--> Python components, with hashes --\\
    image archive --var/lib/dpkg/status--> Debian components -----------+--> dist/sbom/<part>.cdx.json
"""

import json
import subprocess
import tarfile
from collections.abc import Iterator
from email.parser import HeaderParser
from pathlib import Path
from typing import Any
from urllib.parse import quote

from cluster import images
from cluster.images import IMAGES, PROJECT, Built
from cluster.tools import say

STATUS = "var/lib/dpkg/status"
MAKER = ("uv", "tool", "run", "--from", "cyclonedx-bom==7.5.0", "cyclonedx-py", "requirements")
Bill = dict[str, Any]


def write(folder: Path = PROJECT / "dist" / "sbom") -> None:
    """Build the images where they are not, and write each one's bill."""
    folder.mkdir(parents=True, exist_ok=True)
    built = images.build()
    for image in IMAGES:
        made = built[image.name]
        command = [*MAKER, "--output-reproducible", "--of", "JSON", str(PROJECT / image.folder / "requirements.txt")]
        python = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        file = folder / f"{image.folder}.cdx.json"
        file.write_text(json.dumps(whole(python, dpkg_status(made.archive), made), indent=1) + "\n")
        say(f"wrote {file}")


def whole(python: Bill, status: str, image: Built) -> Bill:
    """The bill of an image from that of its Python packages and its dpkg status."""
    subject = {"type": "container", "name": image.repository, "version": image.tag}
    components = [*python.get("components", []), *debian(status)]
    return {**python, "metadata": {**python.get("metadata", {}), "component": subject}, "components": components}


def debian(status: str) -> Iterator[Bill]:
    """A component for each installed package in a dpkg status file."""
    for stanza in status.strip().split("\n\n"):
        package = HeaderParser().parsestr(stanza)
        if package["Status"] == "install ok installed":
            name, version, architecture = package["Package"], package["Version"], package["Architecture"]
            purl = f"pkg:deb/debian/{name}@{quote(version)}?arch={architecture}"
            yield {"bom-ref": purl, "type": "library", "name": name, "version": version, "purl": purl}


def dpkg_status(archive: Path) -> str:
    """What dpkg knows, from the uppermost layer that has it; `LookupError` when no layer does."""
    with tarfile.open(archive) as image:
        (manifest,) = json.load(_member(image, "manifest.json"))
        for name in reversed(manifest["Layers"]):
            with tarfile.open(fileobj=_member(image, name)) as layer:
                found = next((each for each in layer if each.name.removeprefix("./") == STATUS), None)
                if found:
                    return _member(layer, found).read().decode()
    raise LookupError(f"no layer of {archive} has {STATUS}")


def _member(archive: tarfile.TarFile, member: str | tarfile.TarInfo) -> Any:
    return archive.extractfile(member)
