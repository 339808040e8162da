"""Headers that the platform's parts tell one another: user code cannot say them in an instance's name, nor a caller."""

import pytest

FORMS = {
    "native": "def handle(request):\n    return 'x', 200, {{{pairs}}}\n",
    "wsgi": "def handle(environ, start_response):\n    start_response('200 OK', [{tuples}])\n    return [b'x']\n",
    "asgi": "async def handle(scope, receive, send):\n    if scope['type'] == 'lifespan': return\n"
    "    await send({{'type': 'http.response.start', 'status': 200, 'headers': [{bytes}]}})\n"
    "    await send({{'type': 'http.response.body', 'body': b'x', 'more_body': True}})\n"
    "    await send({{'type': 'http.response.body', 'body': b'x'}})\n",
    "whole asgi": "async def handle(scope, receive, send):\n    if scope['type'] == 'lifespan': return\n"
    "    await send({{'type': 'http.response.start', 'status': 200, 'headers': [{bytes}]}})\n"
    "    await send({{'type': 'http.response.body', 'body': b'x'}})\n",
    "lambda": "def handle(event, context):\n    return {{'statusCode': 200, 'body': 'x', 'headers': {{{pairs}}}}}\n",
}
FORGED = {"Kubewick-Refused": "failed", "kubewick-cold-start": "1", "KUBEWICK-CLOCK": "2"}
GIVEN = FORGED | {"X-Kept": "yes", "Kubewicked": "yes"}


@pytest.mark.parametrize("form", FORMS)
def test_what_a_handler_answers_says_nothing_to_the_router(start, variant, form):
    code = FORMS[form].format(
        pairs=", ".join(f"{name!r}: {value!r}" for name, value in GIVEN.items()),
        tuples=", ".join(f"({name!r}, {value!r})" for name, value in GIVEN.items()),
        bytes=", ".join(f"({name.encode()!r}, {value.encode()!r})" for name, value in GIVEN.items()),
    )
    interface = form.removeprefix("whole ")
    instance = start(code, KUBEWICK_INTERFACE=interface, **variant)
    for _ in range(2):  # the second may come from a head that is known by heart
        answer = instance.request("/")
        told = {name.lower() for name, _ in answer.headers.items()}
        assert answer.status == 200
        assert {"x-kept", "kubewicked"} <= told
        assert not any(name.startswith("kubewick-") for name in told)


def test_what_the_instance_itself_refuses_still_says_so(start, variant):
    instance = start("def handle(:\n", **variant)
    assert dict(instance.request("/").headers.items())["kubewick-refused"] == "failed"


@pytest.mark.parametrize("value", ["-1", "0x10", "1e3", "9" * 12, "", "1 2"])
def test_a_deadline_or_an_attempt_that_no_router_writes_counts_as_none(start, value):
    instance = start(
        "def handle(request, context):\n    return {'attempt': context.attempt, 'left': context.remaining_time()}\n"
    )
    headers = {"Kubewick-Deadline-Ms": value, "Kubewick-Attempt": value, "Kubewick-Cold-Start": value}
    answer = instance.request("/", headers=headers)
    assert answer.json["attempt"] == 1
    assert 0 < answer.json["left"] <= 60
