"""An instance that is asked tells how long a request waited for its handler, and how long the handler took."""

from concurrent.futures import ThreadPoolExecutor

import pytest

ASK = {"Kubewick-Trace": "1"}
SLEEP = 0.2
FORMS = {
    "def": "import time\ndef handle():\n    time.sleep(0.2)\n    return 'ok'\n",
    "async def": "import asyncio\nasync def handle():\n    await asyncio.sleep(0.2)\n    return 'ok'\n",
    "stream": "import time\ndef handle():\n    time.sleep(0.2)\n    yield 'o'\n    yield 'k'\n",
    "asgi": """
import asyncio
async def handle(scope, receive, send):
    await asyncio.sleep(0.2)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"ok"})
""",
}


def steps(answer):
    return {
        name: float(took) for name, took in (x.split(";dur=") for x in answer.headers["kubewick-timing"].split(", "))
    }


@pytest.mark.parametrize("form", FORMS)
def test_who_asks_is_told_of_wait_and_handler_and_who_does_not_is_not(start, form):
    instance = start(FORMS[form])
    answer = instance.request(headers=ASK)
    assert (answer.status, answer.text) == (200, "ok")
    assert steps(answer)["handler"] >= SLEEP * 1000
    assert "kubewick-timing" not in instance.request(headers={"Kubewick-Trace": "0"}).headers
    assert "kubewick-timing" not in instance.request().headers


def test_what_waits_for_a_busy_handler_says_so(start):
    instance = start(FORMS["def"], KUBEWICK_CONCURRENCY="4")
    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(lambda _: instance.request(headers=ASK), range(4)))
    assert all(steps(answer).keys() == {"wait", "handler"} for answer in answers)
    assert all(answer.text == "ok" for answer in answers)
