"""An image's bill of materials names what pip and what dpkg installed."""

import io
import json
import tarfile

import pytest

from cluster.bill import debian, dpkg_status, whole
from cluster.images import Built

STATUS = """\
Package: libc6
Status: install ok installed
Architecture: amd64
Version: 2.41-12
Description: GNU C Library
 with a second line

Package: removed
Status: deinstall ok config-files
Architecture: all
Version: 1

Package: tzdata
Status: install ok installed
Architecture: all
Version: 1:2025b+1
"""
PYTHON = {"bomFormat": "CycloneDX", "specVersion": "1.6", "components": [{"name": "kopf", "type": "library"}]}


def test_installed_packages_are_listed_with_their_purl_and_removed_ones_are_not():
    assert [each["purl"] for each in debian(STATUS)] == [
        "pkg:deb/debian/libc6@2.41-12?arch=amd64",
        "pkg:deb/debian/tzdata@1%3A2025b%2B1?arch=all",
    ]


def test_the_whole_bill_is_about_the_image_and_has_both_kinds_of_packages(tmp_path):
    bill = whole(PYTHON, STATUS, Built("localhost/kubewick-operator", "abc", tmp_path))
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    assert bill["metadata"]["component"] == {
        "type": "container",
        "name": "localhost/kubewick-operator",
        "version": "abc",
    }
    assert [each["name"] for each in bill["components"]] == ["kopf", "libc6", "tzdata"]


def test_dpkgs_word_is_taken_from_the_uppermost_layer_that_has_it(tmp_path):
    old, new = layer({"var/lib/dpkg/status": "old"}), layer({"./var/lib/dpkg/status": "new"})
    manifest = json.dumps([{"Layers": ["a.tar", "b.tar", "c.tar"]}]).encode()
    archive = tmp_path / "image.tar"
    parts = {"manifest.json": manifest, "a.tar": old, "b.tar": new, "c.tar": layer({"etc/x": ""})}
    archive.write_bytes(layer(parts))
    assert dpkg_status(archive) == "new"


def test_an_image_without_dpkg_is_refused(tmp_path):
    archive = tmp_path / "image.tar"
    archive.write_bytes(layer({"manifest.json": b'[{"Layers": []}]'}))
    with pytest.raises(LookupError, match="no layer"):
        dpkg_status(archive)


def layer(files):
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w") as archive:
        for name, content in files.items():
            data = content if isinstance(content, bytes) else content.encode()
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return held.getvalue()
