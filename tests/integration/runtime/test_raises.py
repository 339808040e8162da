"""Whatever a handler raises is a 500 with its type, from the same process, which serves on."""

import pytest

CODE = """
    import asyncio, contextvars, os
    class Own(BaseException): pass
    class Mute(Exception):
        def __str__(self): raise RuntimeError("no text either")
    class Left(KeyError):
        def __str__(self): raise KeyboardInterrupt
    RAISED = dict(KeyboardInterrupt=KeyboardInterrupt, GeneratorExit=GeneratorExit, SystemExit=SystemExit,
        CancelledError=asyncio.CancelledError, StopIteration=StopIteration, Own=Own, Mute=Mute, Left=Left,
        ExceptionGroup=lambda: ExceptionGroup("two", [ValueError(), OSError()]))
    {kind} handle(request):
        name = request.path.strip("/")
        if name in RAISED: raise RAISED[name]()
        return str(os.getpid())
"""
RAISED = (
    "KeyboardInterrupt", "GeneratorExit", "SystemExit", "CancelledError", "StopIteration", "Own", "Mute", "Left",
    "ExceptionGroup",
)  # fmt: skip
KINDS = pytest.mark.parametrize("kind", ["def", "async def"])
SOON = {"Kubewick-Deadline-Ms": "5000"}


@KINDS
def test_whatever_is_raised_is_a_500_with_its_type_and_the_same_process_serves_on(start, variant, kind):
    instance = start(CODE.format(kind=kind), **variant)
    pid = instance.request("/").text
    told = {}
    for name in RAISED:
        answer = instance.request(f"/{name}", headers=SOON)
        told[name] = (answer.status, answer.json["error"]["type"])
        assert instance.request("/", headers=SOON).text == pid, f"after {name}"
    expected = {name: (500, name) for name in RAISED}
    if kind == "async def":
        expected["StopIteration"] = (500, "RuntimeError")  # PEP 479: a coroutine cannot raise it
    assert told == expected


@pytest.mark.parametrize("form", ["wsgi", "asgi", "cloudevent"])
def test_other_forms_of_handler_keep_their_process_too(start, variant, form):
    code = {
        "wsgi": "def handle(environ, start_response):\n    if environ['PATH_INFO'] == '/bad': raise KeyboardInterrupt\n"
        "    start_response('200 OK', [])\n    return [str(os.getpid()).encode()]\n",
        "asgi": "async def handle(scope, receive, send):\n    if scope['type'] == 'lifespan': return\n"
        "    if scope['path'] == '/bad': raise KeyboardInterrupt\n"
        "    await send({'type': 'http.response.start', 'status': 200})\n"
        "    await send({'type': 'http.response.body', 'body': str(os.getpid()).encode()})\n",
        "cloudevent": "def handle(event):\n    if event['type'] == 'bad': raise KeyboardInterrupt\n"
        "    return str(os.getpid())\n",
    }[form]
    instance = start("import os\n" + code, **variant)

    def ask(name):
        event = {"ce-id": "1", "ce-source": "s", "ce-specversion": "1.0", "ce-type": name}
        return instance.request(f"/{name}", "POST", headers={**event, **SOON})

    pid = ask("good").text
    assert (ask("bad").status, ask("bad").json["error"]["type"]) == (500, "KeyboardInterrupt")
    assert ask("good").text == pid


@KINDS
def test_a_generator_that_raises_before_its_first_piece_is_a_500(start, variant, kind):
    code = f"""
        import asyncio
        {kind} handle(request):
            {"await asyncio.sleep(0.05)" if kind == "async def" else "pass"}
            if request.path == "/bad": raise KeyError("no such row")
            if request.path == "/kind": yield 42
            if request.path != "/empty": yield "one"
    """
    instance = start(code, **variant)
    answer = instance.request("/bad")
    assert (answer.status, answer.json["error"]["type"]) == (500, "KeyError")
    assert instance.request("/kind").json["error"]["type"] == "Unsuitable"
    assert (instance.request("/empty").status, instance.request("/empty").text) == (200, "")
    assert instance.request("/").text == "one"


@KINDS
@pytest.mark.parametrize("value", ["float('nan')", "{'a': float('inf')}", "[float('-inf')]"])
def test_nan_and_infinity_are_no_json_and_the_answer_says_so(start, kind, value):
    answer = start(f"{kind} handle():\n    return {value}\n").request()
    assert answer.status == 500
    assert "NaN" in answer.message
    assert "JSON" in answer.message


VARIABLE = """
    import contextvars
    user = contextvars.ContextVar("user", default="nobody")
    {kind} handle(request: "StreamingRequest"):
        size = 0
        {each} piece in request.stream(): size += len(piece)
        before = user.get()
        user.set("ada")
        return before
"""


@pytest.mark.parametrize("size", [0, 200_000])
@KINDS
def test_a_context_variable_set_in_one_request_is_not_seen_by_the_next(start, variant, kind, size):
    code = VARIABLE.format(kind=kind, each="for" if kind == "def" else "async for")
    instance = start(code, KUBEWICK_CONCURRENCY=1, **variant)
    sock = instance.connect()
    one = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % size + b"x" * size
    seen = b""
    sock.sendall(one + one if not size else one)  # without a body they are pipelined
    seen = until(sock, seen, b"nobody", 2 if not size else 1)
    sock.sendall(one)
    seen = until(sock, seen, b"nobody", 3 if not size else 2)
    assert b"ada" not in seen
    sock.close()


def until(sock, seen, word, times):
    while seen.count(word) + seen.count(b"ada") < times:
        data = sock.recv(65536)
        assert data, seen
        seen += data
    return seen


BREAKER = """
    import builtins, os
    {kind} handle(request):
        if request.path == "/builtins":
            builtins.{name} = None
        return str(os.getpid())
"""


@KINDS
@pytest.mark.parametrize("name", ["len", "bytes", "BaseException"])
def test_a_handler_that_replaces_builtins_spoils_its_own_process_at_most(start, variant, kind, name, eventually):
    instance = start(BREAKER.format(kind=kind, name=name), **variant)
    assert instance.request("/builtins", headers=SOON).status in (200, 500, 502)
    assert eventually(lambda: answered(instance)).status == 200
    assert instance.control("/healthz").status == 200


def answered(instance):
    """The answer of a request, where it was one; the process may go while it is asked."""
    try:
        answer = instance.request("/", headers=SOON)
    except OSError:
        return None
    return answer if answer.status == 200 else None


LEAK = """
    import os, resource
    hoard = []
    {kind} handle(request):
        if request.path == "/leak":
            resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
            while True: hoard.append(os.open("/dev/null", os.O_RDONLY))
        return str(os.getpid())
"""


@KINDS
def test_a_process_without_descriptors_left_is_told_and_replaced(start, variant, kind, eventually):
    instance = start(LEAK.format(kind=kind), **variant)
    pid = instance.request("/").text
    answer = instance.request("/leak", headers=SOON)
    assert (answer.status, answer.json["error"]["type"]) == (500, "OSError")
    assert eventually(lambda: answered(instance)).text != pid
    eventually(lambda: any("no descriptor left" in line for line in instance.output))
