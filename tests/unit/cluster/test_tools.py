import pytest

from cluster.tools import KUBERNETES, PROGRAMS, USUAL, Missing, folder, kubernetes, linker_flags, path, pinned, version


@pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS)
def test_every_program_is_pinned(program):
    assert version(program).startswith("v")


@pytest.mark.parametrize("release", KUBERNETES)
@pytest.mark.parametrize("program", [one for one in PROGRAMS.values() if one.project], ids=lambda one: one.name)
def test_every_program_is_a_tool_of_its_module_with_checksums(program, release):
    assert program.package in (folder(program.module, release) / "go.mod").read_text()
    assert program.project in (folder(program.module, release) / "go.sum").read_text()


@pytest.mark.parametrize("release", KUBERNETES)
def test_the_variable_chooses_the_release_of_kubernetes_and_nothing_else(release, monkeypatch):
    usual = path("etcd")
    monkeypatch.setenv("KUBEWICK_KUBERNETES", release)
    assert path("kubelet").parent.name.startswith(f"kubelet-v{release}.")
    assert path("etcd") == usual


def test_without_the_variable_it_is_the_usual_release_and_one_that_is_not_there_is_named_with_those_that_are():
    assert kubernetes({}) == kubernetes({"KUBEWICK_KUBERNETES": ""}) == USUAL
    with pytest.raises(Missing, match=r"1\.34.*KUBEWICK_KUBERNETES.*1\.37, 1\.36, 1\.35"):
        kubernetes({"KUBEWICK_KUBERNETES": "1.34"})


def test_a_version_is_read_from_a_block_or_a_line_and_not_from_another_module():
    assert pinned("require (\n\tx.dev/ab v2.0.0\n\tx.dev/a v1.2.3 // indirect\n)\n", "x.dev/a") == "v1.2.3"
    assert pinned("require x.dev/a v0.1.0\n", "x.dev/a") == "v0.1.0"
    with pytest.raises(ValueError, match=r"x\.dev/b"):
        pinned("require x.dev/a v0.1.0\n", "x.dev/b")


def test_kubernetes_is_told_its_version():
    flags = linker_flags("k8s.io/kubernetes", "v1.36.3")
    for said in ("gitVersion=v1.36.3", "gitMajor=1", "gitMinor=36"):
        assert f"-X k8s.io/component-base/version.{said}" in flags
