import dataclasses
import io

from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from wick_api.names import Key
from wick_cli.local.decisions.row import Row, news
from wick_cli.local.screen import drawn

HELLO = Key("default", "hello")
IDLE = Row(
    key=HELLO,
    url="http://127.0.0.1:8080/function/default/hello/",
    state="idle",
    ready=0,
    wanted=0,
    in_flight=0,
    cold_starts=0,
    last_cold_start=None,
    why="at zero; the next request starts an instance",
)
READY = dataclasses.replace(IDLE, state="ready", ready=1, wanted=1, cold_starts=1, last_cold_start=9.4, why="1 serves")
FAILED = dataclasses.replace(IDLE, state="failed", why="main.py:1: invalid syntax")
ROWS = st.sampled_from([IDLE, READY, FAILED])


def between(before, now):
    return list(news({HELLO: before} if before else {}, {HELLO: now} if now else {}))


def test_a_new_function_is_introduced_by_its_address():
    assert between(None, IDLE) == [f"hello: {IDLE.url}"]


def test_a_cold_start_says_what_it_took():
    assert between(IDLE, READY) == ["hello: ready, 1 instance, cold start 9 ms"]


def test_a_failure_says_why_and_each_new_reason_again():
    assert between(READY, FAILED) == ["hello: failed: main.py:1: invalid syntax"]
    other = dataclasses.replace(FAILED, why="main.py:2: invalid syntax")
    assert between(FAILED, other) == ["hello: failed: main.py:2: invalid syntax"]


def test_a_function_that_is_gone_is_said_to_be():
    assert between(READY, None) == ["hello: gone"]


@given(ROWS, st.integers(0, 9))
def test_requests_coming_and_going_are_no_news(row, in_flight):
    assert between(row, dataclasses.replace(row, in_flight=in_flight)) == []


@given(ROWS, ROWS)
def test_every_change_of_state_is_news_once(before, now):
    assert len(between(before, now)) == (before.state != now.state)


def test_the_table_shows_each_function_and_what_to_mend():
    console = Console(width=140, file=io.StringIO())
    team = dataclasses.replace(FAILED, key=Key("team", "other"))
    console.print(drawn({HELLO: READY, team.key: team}, ["f.yaml:3: spec.x: no such field"]))
    text = console.file.getvalue()
    for words in ("FUNCTION", "hello", "ready", "1/1", "9 ms", "team/other", "failed", "f.yaml:3: spec.x"):
        assert words in text
