"""The door to the test cluster: what its command line takes."""

import pytest

from cluster.__main__ import parse
from cluster.testbed import stories


@pytest.mark.parametrize("words", [["-k", "fifty"], ["tests/e2e/test_cli.py", "-x"], []])
def test_what_follows_e2e_is_pytests(words):
    assert parse(["e2e", *words]).arguments == words


def test_words_nobody_knows_end_the_other_commands(capsys):
    with pytest.raises(SystemExit):
        parse(["up", "-k", "fifty"])
    assert "-k fifty" in capsys.readouterr().err


def test_all_stories_are_meant_unless_files_are_named():
    assert stories(["-k", "fifty"])[-3:] == ["-k", "fifty", "tests/e2e"]
    assert stories(["tests/e2e/test_cli.py"])[-1] == "tests/e2e/test_cli.py"
    assert "--durations=15" in stories([])
