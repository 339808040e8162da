"""What reaches a terminal is text."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wick_cli.local.lines import StartOutput
from wick_cli.output import printable, table

LINES = st.lists(st.sampled_from("abc"), max_size=4)


@given(st.text(st.characters(), max_size=30))
def test_nothing_drives_the_terminal_and_everything_can_be_encoded(text):
    shown = printable(text)
    shown.encode()
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]", shown)


@pytest.mark.parametrize("text", ["plain", "grüße, 世界 🎉", "a\tb\nc", "café", "\\x1b"])
def test_what_people_read_stays_as_it_is(text):
    assert printable(text) == text


def test_what_is_escaped_reads_as_in_python():
    assert printable("\x1b[2J\x9b\r\udc80\u202e\x00") == r"\x1b[2J\x9b\r\udc80\u202e\x00"


def test_a_table_escapes_its_cells():
    assert table(["WHY"], [["\x1b[2J"]]) == "WHY\n\\x1b[2J"


def shown(before, lines, *, fails):
    out = []
    output = StartOutput(out.append, before)
    for line in lines:
        output.add(line)
    output.failed() if fails else output.started()
    return out


@given(LINES, LINES, st.booleans())
def test_a_start_is_silent_only_where_it_fails_as_the_one_before_did(before, lines, fails):
    silent = fails and lines == before
    assert shown(before, lines, fails=fails) == ([] if silent else lines)
