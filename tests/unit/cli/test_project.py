import textwrap

from wick_api.names import Key
from wick_cli.folder import MAX_SOURCE_BYTES
from wick_cli.project import read, watched_files

HEAD = "apiVersion: kubewick.dev/v1alpha1\nkind: Function\n"


def write(folder, **files):
    for name, text in files.items():
        file = folder / name.replace("__", "/").replace("_yaml", ".yaml").replace("_py", ".py")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(text))


def function(name, spec="  image: img\n"):
    return f"{HEAD}metadata:\n  name: {name}\nspec:\n{spec}"


def test_a_folder_gives_its_yaml_files_and_the_function_folders_below(tmp_path):
    write(tmp_path, a_yaml=function("a"), deep__er__function_yaml=function("b"), deep__other_yaml=function("c"))
    assert [key.name for key in read([tmp_path]).functions] == ["a", "b"]


def test_files_beside_function_yaml_become_the_source(tmp_path):
    write(
        tmp_path,
        function_yaml=function("a", "  handler: main:handle\n"),
        main_py="x = 1\n",
        pkg__inner_py="y = 2\n",
        test_main_py="",
        tests__more_py="",
        __pycache___py="",
    )
    (tmp_path / ".hidden").write_text("")
    project = read([tmp_path])
    assert not project.problems
    inline = project.functions[Key("default", "a")].function.spec.source.inline
    assert inline == {"main.py": "x = 1\n", "pkg/inner.py": "y = 2\n"}


def test_a_source_of_its_own_is_kept(tmp_path):
    write(tmp_path, function_yaml=function("a", "  source: {inline: {m.py: hi}}\n"), main_py="")
    assert read([tmp_path]).functions[Key("default", "a")].function.spec.source.inline == {"m.py": "hi"}


def test_files_that_cannot_be_source_are_named(tmp_path):
    write(tmp_path, function_yaml=function("a", "  timeout: 1s\n"), main_py="")
    (tmp_path / "data.bin").write_bytes(b"\xff\xfe")
    [problem] = read([tmp_path]).problems
    assert "data.bin is not UTF-8 text" in str(problem)
    assert "binaryData (spec.configMaps)" in str(problem)
    (tmp_path / "data.bin").write_text("x" * (MAX_SOURCE_BYTES + 1))
    assert "build an image instead" in str(read([tmp_path]).problems[0])


def test_a_broken_function_leaves_the_others_alone(tmp_path):
    write(tmp_path, a_yaml=function("a", "  image: i\n  scale:\n    max: 0\n"), b_yaml=function("b"))
    project = read([tmp_path])
    assert list(project.functions) == [Key("default", "b")]
    (problem,) = project.problems
    assert str(problem).startswith(f"{tmp_path / 'a.yaml'}:8: spec.scale.max: ")


def test_a_misspelt_field_is_a_problem_on_its_line(tmp_path):
    write(tmp_path, a_yaml=function("a", "  image: i\n  scael: {}\n"))
    (problem,) = read([tmp_path]).problems
    assert str(problem).endswith("a.yaml:7: spec.scael: no such field; did you mean 'scale'?")


def test_a_name_taken_twice_is_a_problem_that_names_both(tmp_path):
    write(tmp_path, a_yaml=function("a"), b_yaml=function("a"))
    (problem,) = read([tmp_path]).problems
    assert "b.yaml:4" in str(problem)
    assert "a.yaml:1" in str(problem)


def test_configmaps_and_secrets_are_kept_beside_the_functions(tmp_path):
    write(
        tmp_path,
        a_yaml="apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n---\n"
        "apiVersion: v1\nkind: Secret\nmetadata: {name: s, namespace: other}\n",
    )
    project = read([tmp_path], namespace="team")
    assert list(project.config_maps) == [Key("team", "c")]
    assert list(project.secrets) == [Key("other", "s")]


def test_a_path_that_is_not_there_is_a_problem(tmp_path):
    assert "no such file or folder" in str(read([tmp_path / "gone"]).problems[0])


def test_code_files_are_watched(tmp_path):
    write(tmp_path, function_yaml=function("a", "  timeout: 1s\n"), main_py="", test_main_py="")
    assert {file.name for file in watched_files([tmp_path])} == {"function.yaml", "main.py"}


def test_a_configmap_without_entries_to_speak_of_is_a_problem_on_its_line(tmp_path):
    write(tmp_path, a_yaml="apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: [1]\n")
    (problem,) = read([tmp_path]).problems
    assert str(problem).endswith("a.yaml:4: data: expected an object")
