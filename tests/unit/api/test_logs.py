"""Log lines are JSON, one a line whatever is in them, with the key of the function they are about."""

import json
import logging
import sys

from hypothesis import given
from hypothesis import strategies as st

from wick_api.logs import JsonLines
from wick_api.names import Key


def line(message, **more):
    record = logging.LogRecord("wick_operator.leader.work_queue", logging.WARNING, __file__, 1, "%s", (message,), None)
    record.__dict__.update(more)
    return JsonLines().format(record)


@given(st.text(), st.text())
def test_a_line_is_one_json_object_whatever_the_words(message, name):
    text = line(message, function=str(Key("default", name)))
    assert "\n" not in text
    read = json.loads(text)
    assert (read["message"], read["namespace"], read["function"]) == (message, "default", name)
    assert (read["level"], read["logger"]) == ("warning", "wick_operator.leader.work_queue")


def test_a_line_about_no_function_names_none():
    assert "function" not in json.loads(line("leading"))


def test_a_traceback_stays_within_its_line():
    try:
        int("oh")
    except ValueError:
        text = line("failed", exc_info=sys.exc_info())
    assert "\n" not in text
    assert "ValueError: invalid literal" in json.loads(text)["traceback"]
