import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wick_cli.document.stored import MAX_STORED, source_problem, stored_size

FILES = st.dictionaries(
    st.text(st.characters(exclude_categories=["Cs"])), st.text(st.characters(exclude_categories=["Cs"]))
)


def as_go_writes(files):
    text = json.dumps(files, ensure_ascii=False, separators=(",", ":"))
    for each in "<>&\u2028\u2029":
        text = text.replace(each, f"\\u{ord(each):04x}")
    return text


@given(FILES)
def test_the_size_is_that_of_gos_json(files):
    written = len(as_go_writes(files).encode())
    assert stored_size(files) == written - 2 + (1 if files else 0)  # braces; no comma behind the last


@pytest.mark.parametrize(("text", "fits"), [("a" * 890_000, True), ("<p>" * 100_000, True), ("<b>&" * 150_000, False)])
def test_markup_is_refused_where_it_would_not_fit(text, fits):
    assert (source_problem({"main.py": text}) == "") is fits
    assert len(text) < MAX_STORED
