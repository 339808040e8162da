import re
import tomllib

import pytest
import yaml

from cluster.images import IMAGES, PROJECT, Built, destinations, digest, pip_configuration, version

EXTRAS = {"kubewick-operator": "operator", "kubewick-router": "router", "kubewick-runtime": "runtime"}


@pytest.mark.parametrize("image", IMAGES, ids=lambda image: image.name)
def test_an_image_installs_exactly_the_versions_its_extra_asks_for(image):
    """`make lock` after a change of an extra."""
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    asked = project["optional-dependencies"][EXTRAS[image.name]]
    locked = (PROJECT / image.folder / "requirements.txt").read_text()
    pins = set(re.findall(r"^([a-z0-9-]+==[^ ;]+)", locked, re.MULTILINE))
    assert set(asked) <= pins
    assert locked.count("--hash=sha256:") >= len(pins)


@pytest.mark.parametrize("image", IMAGES, ids=lambda image: image.name)
def test_what_an_image_copies_decides_its_digest(image):
    copied = re.findall(r"^COPY (?!--from)(\S+)", (PROJECT / image.folder / "Dockerfile").read_text(), re.MULTILINE)
    assert {*image.packages, *image.files} == {path.rstrip("/") for path in copied}


@pytest.mark.parametrize("image", IMAGES, ids=lambda image: image.name)
def test_the_build_context_lets_through_what_an_image_copies(image):
    lets_through = re.findall(r"^!(\S+)", (PROJECT / ".dockerignore").read_text(), re.MULTILINE)
    assert {*image.packages, *image.files} <= set(lets_through)


def test_a_digest_changes_with_a_name_a_content_and_the_base(tmp_path):
    def of(content, name="a", base="base"):
        (tmp_path / name).write_text(content)
        return digest([tmp_path / name], tmp_path, base)

    assert len({of("x"), of("y"), of("x", name="b"), of("x", base="other")}) == 4
    assert of("x") == of("x")


def test_a_pip_configuration_has_one_section():
    assert pip_configuration({"timeout": "5", "cert": "/a b"}) == "[global]\ncert = /a b\ntimeout = 5\n"


@pytest.mark.parametrize("image", IMAGES, ids=lambda image: image.name)
def test_an_image_has_every_package_of_ours_that_it_imports(image):
    imported = set()
    for file in image.sources():
        if file.suffix == ".py":
            imported |= set(re.findall(r"^\s*(?:from|import) (wick_\w+)", file.read_text(), re.MULTILINE))
    assert imported <= {package.rpartition("/")[2] for package in image.packages}


def test_images_are_pushed_to_where_the_chart_looks_for_them():
    """`make images REGISTRY=R` and `helm install --set image.registry=R` mean the same names."""
    values = yaml.safe_load((PROJECT / "charts/kubewick/values.yaml").read_text())
    chart = yaml.safe_load((PROJECT / "charts/kubewick/Chart.yaml").read_text())
    repositories = [values["operator"], values["router"], values["runtimes"]["python"]]
    asked = {f"registry.example.com/me/{each['image']['repository']}:{chart['appVersion']}" for each in repositories}
    built = {image.name: Built(f"localhost/{image.name}", "abc", PROJECT) for image in IMAGES}
    pushed = destinations(built, "registry.example.com/me/", version())
    assert {target for _, target in pushed} == asked
    assert {source for source, _ in pushed} == {f"localhost/{image.name}:abc" for image in IMAGES}
