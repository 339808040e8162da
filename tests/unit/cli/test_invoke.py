"""What `wick invoke --trace` draws."""

from wick_cli.command.invoke import traced
from wick_cli.platform import FunctionAnswer

HEADER = (
    "route;dur=0.1, queue;dur=20.0, connect;dur=1.0, claim;dur=2.0, import;dur=10.0, handler;dur=4.0, "
    "first-byte;dur=5.0"
)


def drawn(header):
    return traced(FunctionAnswer(200, {"Server-Timing": header, "X-Request-Id": "me"}, ()), 30.0).splitlines()


def test_a_step_within_another_stands_below_it_with_whose_time_it_was():
    _, request, _, *rows = drawn(HEADER)
    assert request == "request me"
    names = [row[:20].strip() for row in rows]
    assert names == ["route", "queue", "claim", "import", "connect", "first-byte", "handler", "all, seen from here"]
    assert "your code" in rows[3]
    assert "router" in rows[2]
    assert rows[1].count("█") > rows[3].count("█") > rows[2].count("█")


def test_an_answer_without_times_says_only_how_long_it_took():
    *_, last = drawn("")
    assert last.split() == ["all,", "seen", "from", "here", "30.0", "ms"]
