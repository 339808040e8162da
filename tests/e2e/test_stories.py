"""What a person does with a function, told to the cluster and to `wick up` alike."""

import os

from cluster.calling import at_once, load
from cluster.platforms import function
from cluster.waiting import eventually

ECHO = "def handle(request):\n    return request.body"
SLOW = "import time\n\n\ndef handle():\n    time.sleep(0.2)\n    return 'slow'"
QUICK = {"idle": "1s", "window": "6s"}


def says(word):
    return f"def handle():\n    return {word!r}"


def test_the_first_request_starts_a_function_and_the_next_finds_it_running(platform):
    platform.deploy(function("hello", says("hi")))
    assert platform.instances("hello") == []
    first = platform.call("hello")
    assert (first.status, first.body, first.cold) == (200, b"hi", True), first
    # The other router may not have heard of the first one's start yet, and start the function itself: once.
    later = [platform.call("hello") for _ in range(20)]
    assert {(answer.status, answer.body) for answer in later} == {(200, b"hi")}
    assert [answer for answer in later if answer.cold][1:] == []


def test_fifty_simultaneous_first_requests_are_all_answered(platform):
    platform.deploy(function("echo", ECHO))
    answers = at_once(50, lambda number: platform.call("echo", body=str(number).encode()))
    assert [answer for answer in answers if answer.status != 200] == []
    assert {answer.body for answer in answers} == {str(number).encode() for number in range(50)}


def test_a_megabyte_posted_at_zero_comes_through_byte_for_byte(platform):
    platform.deploy(function("echo", ECHO))
    body = os.urandom(1_000_000)
    assert platform.call("echo", body=body).body == body


def test_load_scales_up_idleness_scales_to_zero_and_the_next_request_answers(platform):
    platform.deploy(function("slow", SLOW, concurrency=2, scale=QUICK | {"max": 5}))
    with load(lambda: platform.call("slow"), clients=8) as seen:
        eventually(lambda: len(platform.instances("slow")) >= 3)
    assert seen.failures() == []
    eventually(lambda: platform.instances("slow") == [])
    again = platform.call("slow")
    assert (again.status, again.cold) == (200, True), again


def test_editing_the_source_under_a_trickle_fails_no_request(platform):
    platform.deploy(function("edited", says("0")))
    with load(lambda: platform.call("edited"), rate=50) as seen:
        for word in (b"1", b"2", b"3"):
            platform.deploy(function("edited", says(word.decode())))
            eventually(lambda word=word: word in seen.bodies())
    assert seen.failures() == []


def test_a_function_that_does_not_load_says_so_at_once_and_works_once_mended(platform):
    platform.deploy(function("broken", "import no_such_module\n\n\ndef handle():\n    return 1", timeout="100s"))
    answer = platform.call("broken")
    assert answer.status == 503, answer
    assert "no_such_module" in answer.json["error"]["message"]
    assert answer.took < 50, "and not because the time was over"
    platform.deploy(function("broken", says("mended")))
    eventually(lambda: platform.call("broken").body == b"mended")


def test_a_deleted_function_answers_404(platform):
    platform.deploy(function("gone", says("here")))
    assert platform.call("gone").status == 200
    platform.delete("gone")
    eventually(lambda: platform.call("gone").status == 404)
